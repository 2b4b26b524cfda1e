#include <algorithm>
#include <sstream>
#include <vector>

#include <apps/inspect/parts_text.h>

namespace inspect {
namespace {

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string grid_text(int64_t rows, int64_t cols) {
  return std::to_string(rows) + "x" + std::to_string(cols);
}

const char* layout_text(vit::RotaryLayout layout) {
  switch (layout) {
    case vit::RotaryLayout::interleaved:
      return "interleaved";
    case vit::RotaryLayout::half:
      return "half";
    case vit::RotaryLayout::interleaved_tiled:
      break;
  }
  return "interleaved tiled";
}

std::string rotary_text(const vit::RotaryConfig& rotary) {
  std::string text = "rotary (" + std::to_string(rotary.axes) + " axes, ";
  if (rotary.coordinates == vit::RotaryCoordinates::centered)
    text += "coordinates from -1 to 1";
  else
    text += "indices";
  if (rotary.reference_rows)
    text += " on a grid of " + grid_text(rotary.reference_rows, rotary.reference_cols);
  if (rotary.offset != 0) text += ", from " + number(rotary.offset) + " on";
  if (rotary.frequencies == vit::RotaryFrequencies::learned)
    text += ", learned frequencies, ";
  else
    text += ", base " + number(rotary.base) + ", ";
  text.append(layout_text(rotary.layout)).append(" layout");
  if (rotary.columns_first) text += ", columns first";
  if (rotary.class_angles) text += ", learned angles of the class token";
  return text + ")";
}

std::string relative_text(const vit::RelativeBiasConfig& relative) {
  return std::string("relative biases (") +
         (relative.kind == vit::RelativeBiasKind::table ? "table" : "MLP of log displacements") +
         (relative.shared ? ", shared by all blocks)" : ", of each block)");
}

std::string added_text(const vit::VitConfig& config) {
  switch (config.positions.kind) {
    case vit::PositionKind::learned:
      if (const auto table = config.positions.table; table != vit::Size2d())
        return "a learned table of " + grid_text(table.height, table.width) +
               ", fitted to each input";
      return "a learned table";
    case vit::PositionKind::sincos_1d:
      return "sinusoids of one axis";
    case vit::PositionKind::sincos_2d:
      return "sinusoids of two axes";
    case vit::PositionKind::sincos_3d:
      return "sinusoids of three axes";
    case vit::PositionKind::none:
      break;
  }
  return "";
}

const char* place_text(vit::NormPlace place) {
  switch (place) {
    case vit::NormPlace::pre:
      return "before the branches";
    case vit::NormPlace::post:
      return "behind branch and sum";
    case vit::NormPlace::res_post:
      break;
  }
  return "behind the branches";
}

const char* activation_text(vit::Activation activation) {
  switch (activation) {
    case vit::Activation::gelu:
      return "GELU";
    case vit::Activation::gelu_tanh:
      return "GELU by tanh";
    case vit::Activation::quick_gelu:
      return "quick GELU";
    case vit::Activation::silu:
      break;
  }
  return "SiLU";
}

}  // namespace

std::string positions_text(const vit::VitConfig& config) {
  const auto& attention = config.block.attention;
  std::string text = added_text(config);
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (attention.rotary) add(rotary_text(*attention.rotary));
  if (attention.relative_bias) add(relative_text(*attention.relative_bias));
  return text.empty() ? "none" : text;
}

std::string merged_positions_text(const vit::VitConfig& config) {
  const auto& attention = config.block.attention;
  if (attention.rotary) return "at the mean of their patches, each counted once";
  if (attention.relative_bias) return "biases averaged over all pairs of their patches";
  return "";
}

std::string attention_text(const vit::VitConfig& config) {
  const auto& attention = config.block.attention;
  std::string text = std::to_string(attention.num_heads) + " heads";
  std::vector<int64_t> kv;
  for (int64_t i = 0; i < config.depth; ++i) kv.push_back(config.block_at(i).attention.kv_heads());
  const auto [fewest, most] = std::minmax_element(kv.begin(), kv.end());
  if (*fewest != *most)
    text += ", " + std::to_string(*fewest) + " to " + std::to_string(*most) + " of keys and values";
  else if (*most != attention.num_heads)
    text += ", " + std::to_string(*most) + " of keys and values";
  if (attention.qk_norm) text += ", norm on q and k";
  if (attention.norm) text += ", norm before the projection";
  return text;
}

std::string norms_text(const vit::VitConfig& config) {
  const auto& block = config.block;
  return (block.norm.kind == vit::NormKind::layer_norm ? "layer norm" : "RMS norm") +
         std::string(", eps ") + number(block.norm.eps) + ", " + place_text(block.norm_place) +
         (!block.layer_scale      ? ""
          : block.mlp_layer_scale ? ", layer scale"
                                  : ", layer scale on attention");
}

std::string mlp_text(const vit::VitConfig& config) {
  const auto& mlp = config.block.mlp;
  return (mlp.kind == vit::MlpKind::swiglu_packed ? "SwiGLU" : activation_text(mlp.activation)) +
         std::string(", width ") + std::to_string(mlp.hidden_dim) +
         (mlp.norm ? ", norm before its second layer" : "");
}

}  // namespace inspect
