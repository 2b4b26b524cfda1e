#!/usr/bin/env python3
"""Writes tests/data/transformers: a small random model of every type that transformers writes and
no other test data has, with an input and what the library makes of it.

Needs torch, torchvision, safetensors and transformers; run it as
python3 tests/weights/make_transformers_files.py  (the files there are of transformers 5.23)."""

import json
import pathlib
import shutil

import torch
import transformers as hf
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "transformers"

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
PLAIN = SIZES | {"intermediate_size": 24, "image_size": 16, "patch_size": 4}
RATIO = SIZES | {"mlp_ratio": 2, "image_size": 16, "patch_size": 4}
TEXT = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
        "vocab_size": 8, "max_position_embeddings": 8}
TOKENS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
LABELS = {"id2label": {0: "cat", 1: "dog", 2: "owl"}, "label2id": {"cat": 0, "dog": 1, "owl": 2}}
BLIP_TEXT = TEXT | TOKENS | {"encoder_hidden_size": 16, "sep_token_id": 2}


def scramble(model):
    """Random values for all parameters, none of which could be left out unnoticed."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_scale = "norm" in name and name.endswith("weight") or "lambda" in name
            parameter.copy_(1 + 0.2 * noise if is_scale else 0.3 * noise)
    return model.eval()


def tokens_and_pooled(output):
    return output.last_hidden_state, output.pooler_output


def normed(tower, x):
    """The final norm on every token; the library norms the class token alone."""
    output = tower(pixel_values=x)
    return tower.post_layernorm(output.last_hidden_state), output.pooler_output


def run_bare(model, x):
    return tokens_and_pooled(model(pixel_values=x))


def run_first(model, x):
    features = model(pixel_values=x).last_hidden_state
    return features, features[:, 0]


def projected(model, x):
    features, pooled = normed(model.vision_model, x)
    return features, model.visual_projection(pooled)


def naflex(pixels, patch):
    """Patches as Siglip2ImageProcessor cuts them, of pictures of one shape."""
    batch, channels, height, width = pixels.shape
    rows, columns = height // patch, width // patch
    patches = pixels.reshape(batch, channels, rows, patch, columns, patch)
    patches = patches.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, -1)
    return {"pixel_values": patches,
            "pixel_attention_mask": torch.ones(batch, rows * columns, dtype=torch.int32),
            "spatial_shapes": torch.tensor([[rows, columns]] * batch)}


def run_siglip2(model, x):
    return tokens_and_pooled(model.vision_model(**naflex(x, 4)))


def run_radio(model, x):
    output = model(x)
    return output.last_hidden_state, output.summary


def run_masked_beit(model, x):
    tokens = model.layernorm(model.beit(x).last_hidden_state)
    return tokens, tokens[:, 0]


def run_metaclip(model, x):
    # The classifier reads the mean of the tokens before the final norm.
    return model.vision_model(pixel_values=x).last_hidden_state, model(x).logits


def run_backbone(model, x):
    features = model.norm(model(x, output_hidden_states=True).hidden_states[-1])
    maps = model(x).feature_maps[-1].flatten(2).mT
    assert torch.equal(maps, features[:, 1:])
    return features, features[:, 0]


def run_aimv2(model, x):
    output = model.vision_model(pixel_values=x)
    return output.last_hidden_state, model.visual_projection(output.pooler_output)


def run_flava(model, x):
    features = model.flava.image_model(pixel_values=x).last_hidden_state
    return features, features[:, 0]


def run_detector(model, x):
    inner = getattr(model, "owlvit", None) or model.owlv2
    return projected(inner, x)


def run_blip(model, x):
    output = model.vision_model(pixel_values=x)
    return output.last_hidden_state, model.visual_projection(output.pooler_output)


def run_tower(model, x):
    return run_bare(model.vision_model, x)


def run_git(model, x):
    return run_first(model.git.image_encoder, x)


def run_internvl(model, x):
    return run_first(model.model.vision_tower, x)


def owl(name):
    config, cls = getattr(hf, name + "Config"), getattr(hf, name + "ForObjectDetection")
    return lambda: cls(config(text_config=TEXT, vision_config=PLAIN, projection_dim=6))


CASES = {
    # name: (model, what to run, sizes of other pictures that it takes)
    "dinov3_backbone": (lambda: hf.DINOv3ViTBackbone(hf.DINOv3ViTConfig(
        **PLAIN, num_register_tokens=0, query_bias=False, value_bias=False, rope_theta=50.0)),
        run_backbone, []),
    "sapiens2": (lambda: hf.Sapiens2Model(hf.Sapiens2Config(
        **PLAIN | {"num_hidden_layers": 2}, num_register_tokens=3, key_bias=False,
        num_key_value_heads_per_layer=[2, 1])), run_bare, [(24, 16)]),
    "pixio": (lambda: hf.PixioModel(hf.PixioConfig(**RATIO, n_cls_tokens=3)), run_bare, [(16, 24)]),
    "radio": (lambda: hf.RadioModel(hf.RadioConfig(
        **RATIO | {"mlp_ratio": 2.0}, max_img_size=32, num_cls_tokens=3, num_registers=2)),
        run_radio, [(24, 16), (8, 32)]),
    "tipsv2": (lambda: hf.Tipsv2Model(hf.Tipsv2Config(
        text_config=TEXT | {"hidden_size": 16},
        vision_config=RATIO | {"num_register_tokens": 2, "use_swiglu_ffn": True})),
        run_tower, [(24, 16)]),
    "beit_bare": (lambda: hf.BeitModel(hf.BeitConfig(
        **PLAIN, use_relative_position_bias=True, layer_scale_init_value=0.0)), run_bare, []),
    "beit_masked": (lambda: hf.BeitForMaskedImageModeling(hf.BeitConfig(
        **PLAIN, vocab_size=5, use_mask_token=True, use_shared_relative_position_bias=True)),
        run_masked_beit, []),
    "data2vec_bare": (lambda: hf.Data2VecVisionModel(hf.Data2VecVisionConfig(
        **PLAIN, use_relative_position_bias=True)), run_first, []),
    "internvl": (lambda: hf.InternVLForConditionalGeneration(hf.InternVLConfig(
        vision_config=PLAIN | {"use_mean_pooling": False},
        text_config={"model_type": "qwen2", "hidden_size": 8, "intermediate_size": 8,
                     "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
                     "vocab_size": 16})), run_internvl, [(16, 24)]),
    "flava": (lambda: hf.FlavaForPreTraining(hf.FlavaConfig(
        image_config=PLAIN | {"vocab_size": 8}, text_config=TEXT | {"pad_token_id": 0},
        multimodal_config={k: v for k, v in TEXT.items() if "vocab" not in k and "max" not in k},
        image_codebook_config={"num_groups": 1, "num_blocks_per_group": 1, "hidden_size": 2,
                               "vocab_size": 8, "input_channels": 3},
        projection_dim=6, hidden_size=8)), run_flava, []),
    "chinese_clip": (lambda: hf.ChineseCLIPModel(hf.ChineseCLIPConfig(
        text_config=TEXT, vision_config=PLAIN, projection_dim=6)), projected, []),
    "altclip": (lambda: hf.AltCLIPModel(hf.AltCLIPConfig(
        text_config=TEXT | {"pad_token_id": 1, "project_dim": 6}, vision_config=PLAIN,
        projection_dim=6)), projected, []),
    "metaclip_2_classes": (lambda: hf.MetaClip2ForImageClassification(hf.MetaClip2Config(
        text_config=TEXT, vision_config=PLAIN, **LABELS)), run_metaclip, []),
    "git": (lambda: hf.GitForCausalLM(hf.GitConfig(
        vision_config=PLAIN, **TEXT | TOKENS | {"hidden_size": 16})), run_git, []),
    "owlvit": (owl("OwlViT"), run_detector, []),
    "owlv2": (owl("Owlv2"), run_detector, []),
    "blip": (lambda: hf.BlipModel(hf.BlipConfig(
        text_config=BLIP_TEXT, vision_config=PLAIN, projection_dim=6)), run_blip, []),
    "blip_2": (lambda: hf.Blip2ForConditionalGeneration(hf.Blip2Config(
        text_config={"model_type": "opt", "hidden_size": 8, "ffn_dim": 8, "num_hidden_layers": 1,
                     "num_attention_heads": 1, "vocab_size": 8, "max_position_embeddings": 8,
                     "word_embed_proj_dim": 8},
        qformer_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                        "intermediate_size": 8, "encoder_hidden_size": 16, "vocab_size": 8},
        vision_config=PLAIN | {"qkv_bias": False}, num_query_tokens=2)),
        lambda m, x: run_bare(m.model.vision_model if hasattr(m, "model") else m.vision_model, x),
        []),
    "mlcd": (lambda: hf.MLCDVisionModel(hf.MLCDVisionConfig(
        **PLAIN, rope_parameters={"rope_type": "axial", "rope_theta": 500.0})),
        normed, [(16, 24)]),
    "siglip2": (lambda: hf.Siglip2Model(hf.Siglip2Config(
        text_config=TEXT,
        vision_config=SIZES | {"intermediate_size": 24, "num_patches": 16, "patch_size": 4})),
        run_siglip2, [(8, 28)]),
    "aimv2": (lambda: hf.Aimv2Model(hf.Aimv2Config(
        text_config=TEXT, vision_config=PLAIN | {"qkv_bias": True, "mlp_bias": True},
        projection_dim=6)), run_aimv2, []),
}


def write(name, make, run, others):
    folder = OUT / name
    model = scramble(make())
    model.save_pretrained(folder)
    # What is not there is what its defaults say; what counts is the file.
    model = type(model).from_pretrained(folder, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(11)
    tensors = {}
    with torch.no_grad():
        for prefix, (height, width) in [("", (16, 16))] + [
                (f"{h}x{w}/", (h, w)) for h, w in others]:
            x = torch.randn((1, 3, height, width), generator=generator)
            if name == "radio":
                x = torch.rand((1, 3, height, width), generator=generator)
            features, logits = run(model, x)
            tensors |= {prefix + "input": x, prefix + "features": features.contiguous().clone(),
                        prefix + "logits": logits.contiguous().clone()}
    save_file(tensors, folder / "io.safetensors")
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors", "io.safetensors"):
            path.unlink()
    config = json.loads((folder / "config.json").read_text())
    print(name, config["model_type"], sum(f.stat().st_size for f in folder.iterdir()))


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for name, (make, run, others) in CASES.items():
        write(name, make, run, others)


if __name__ == "__main__":
    main()
