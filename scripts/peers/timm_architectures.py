"""timm's architectures as vitome names and measures them, without their weights."""

import math
import re

import torch

from .import_timm import timm

MODULES = ("vision_transformer", "deit", "eva", "beit", "naflexvit", "vision_transformer_relpos",
           "vision_transformer_hybrid", "vitamin", "vision_transformer_sam", "gemma4_vit",
           "deepseek_vit", "qwen3_vit")

# One vector for each row and column is a table of their sums to vitome.
UNFOLDED = re.compile(r"pos_embed_[xy]$")


def names():
    """All ViT-shaped names of the installed timm."""
    found = set()
    for module in MODULES:
        found.update(timm.list_models(module=module))
    return sorted(found)


def build(name):
    """The model on no device."""
    with torch.device("meta"):
        return timm.create_model(name)


def own_parameters(model, patch, channels=3):
    """Shapes under vitome's names: q, k and v in one tensor, gate and value too, patches [D, C, h, w],
    and zeros where only some of q, k and v have a bias."""
    own = {}

    def add_rows(name, shape):
        before = own.get(name)
        own[name] = (before[0] + shape[0], *shape[1:]) if before else tuple(shape)

    factors = {}
    for name, parameter in model.named_parameters():
        shape = tuple(parameter.shape)
        name = re.sub(r"^embeds\.(?=cls_token|reg_token|pos_embed)", "", name)
        name = re.sub(r"^embeds\.", "patch_embed.", name)
        name = re.sub(r"\.gamma_([12])$", r".ls\1.gamma", name)
        if UNFOLDED.search(name):
            factors[name[-1]] = shape
        elif name == "pos_embed" and len(shape) == 4:
            own[name] = (1, shape[1] * shape[2], shape[3])
        elif name == "patch_embed.proj.weight" and len(shape) == 2:
            own[name] = (shape[0], channels, *patch)
        elif name == "rope.freqs":
            for block in range(shape[1]):
                own[f"blocks.{block}.attn.freqs"] = (shape[0], *shape[2:])
        elif match := re.match(r"(.*\.attn)\.[qkv]_proj\.(weight|bias)$", name):
            add_rows(f"{match[1]}.qkv.{match[2]}", shape)
        elif match := re.match(r"(.*\.attn)\.[qv]_bias$", name):
            add_rows(f"{match[1]}.qkv.bias", shape)
        elif match := re.match(r"(.*\.mlp\.fc1)_[gx]\.(weight|bias)$", name):
            add_rows(f"{match[1]}.{match[2]}", shape)
        else:
            own[name] = shape
    if factors:
        own["pos_embed"] = (1, factors["y"][1] * factors["x"][1], factors["y"][2])
    for name, shape in own.items():
        if name.endswith(".attn.qkv.bias"):
            own[name] = (own[name[:-len("bias")] + "weight"][0],)
    return own


def hash_of(shapes):
    """FNV-1a of the lines "name[dim, dim]" in the order of the names."""
    value = 0xcbf29ce484222325
    for name in sorted(shapes):
        for byte in f"{name}[{', '.join(map(str, shapes[name]))}]\n".encode():
            value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def rotary(model):
    """How its tokens are rotated; nothing if they are not."""
    rope = getattr(model, "rope", None)
    if rope is None:
        return None
    kind = type(rope).__name__
    block = model.blocks[0].attn
    learned = kind == "RotaryEmbeddingMixed"
    reference = getattr(rope, "ref_feat_shape", None) or (0, 0)
    return {"layout": "half" if getattr(block, "rotate_half", False) else "interleaved",
            "coordinates": "centered" if kind == "RotaryEmbeddingDinoV3" else "index",
            "frequencies": "learned" if learned else "axial",
            "base": float(rope.temperature),
            "offset": float(getattr(rope, "grid_offset", 0)),
            "reference_grid": [int(side) for side in reference],
            "columns_first": not learned and rope.grid_indexing == "xy"}


def norm_of(module):
    """The first norm inside."""
    for part in module.modules():
        if type(part).__name__ in ("LayerNorm", "RmsNorm", "LayerNormFp32", "RmsNormFp32"):
            kind = "rms_norm" if type(part).__name__.startswith("Rms") else "layer_norm"
            return kind, float(part.eps)
    raise ValueError("no norm")


def pooling(model):
    return {"token": "cls", "": "none"}.get(model.global_pool, model.global_pool)


def attention_pool(model):
    """Heads of the pool, and whether it reads the prefix tokens."""
    if model.global_pool != "map":
        return {}
    # Class Eva's reads all tokens and has no such option.
    return {"pool_heads": model.attn_pool.num_heads,
            "pool_prefix": getattr(model, "pool_include_prefix", True)}


def resampling(model):
    """How NaFlexVit's table of positions is fitted to a picture."""
    embed = getattr(model, "embeds", None)
    if embed is None or embed.pos_embed_type == "none":
        return {}
    if embed.pos_embed_type == "factorized":
        return {"resampling": "bilinear_window"}
    window = "_window" if embed.pos_embed_ar_preserving else ""
    corners = "_corners" if embed.pos_embed_align_corners else ""
    antialias = "_antialias" if embed.pos_embed_antialias else ""
    return {"resampling": embed.pos_embed_interp_mode + antialias + window + corners}


def activation(mlp):
    if type(mlp).__name__ in ("SwiGLU", "GluMlp"):
        return "silu"
    act = mlp.act
    return {"GELU": "gelu", "GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu",
            "SiLU": "silu"}[type(act).__name__]


def describe(name):
    """What of the architecture vitome must agree with."""
    model = build(name)
    cfg = model.pretrained_cfg
    embed = getattr(model, "embeds", None) or model.patch_embed
    patch = [int(side) for side in embed.patch_size]
    # A model of any aspect has no size of its own.
    size = getattr(embed, "img_size", None) or cfg["input_size"][1:]
    data = timm.data.resolve_model_data_config(model)
    block = model.blocks[0]
    kind, eps = norm_of(block)
    shapes = own_parameters(model, patch)
    kv_heads = [getattr(b.attn, "num_kv_heads", None) or b.attn.num_heads for b in model.blocks]
    return {
        "parameters": sum(math.prod(shape) for shape in shapes.values()),
        "names_and_shapes": hash_of(shapes),
        "image_size": [int(side) for side in size],
        "patch_size": patch,
        "depth": len(model.blocks),
        "prefix_tokens": model.num_prefix_tokens,
        "heads": block.attn.num_heads,
        "kv_heads": kv_heads if set(kv_heads) != {block.attn.num_heads} else [],
        "mlp_hidden_dim": block.mlp.fc2.in_features,
        "activation": activation(block.mlp),
        "norm": kind,
        "eps": eps,
        "norm_place": "res_post" if "Post" in type(block).__name__ else "pre",
        "rotary": rotary(model),
        "pool": pooling(model),
        **attention_pool(model),
        **resampling(model),
        "num_classes": model.num_classes,
        "mean": list(data["mean"]),
        "std": list(data["std"]),
        "crop_pct": data["crop_pct"],
        "crop_mode": data["crop_mode"],
        "interpolation": data["interpolation"],
    }
