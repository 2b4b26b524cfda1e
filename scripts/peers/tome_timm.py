"""Token Merging in timm's Vision Transformers, as the paper (arXiv 2210.09461) describes it: what a
user of PyTorch runs instead of ViToMe.
"""

import torch
from torch.nn import functional as F


def match(metric, r):
    """Bipartite soft matching of metric [B, N, d], the class token first: the places among the even
    tokens of those that stay, [B, A - r], and of those that merge, [B, r], and for the latter the
    odd tokens they merge into, [B, r].
    """
    metric = metric / metric.norm(dim=-1, keepdim=True)
    scores = metric[:, ::2] @ metric[:, 1::2].transpose(1, 2)
    scores[:, 0] = -torch.inf  # the class token stays
    best, partner = scores.max(-1)
    order = best.argsort(-1, descending=True)
    merged = order[:, :r]
    return order[:, r:].sort(-1).values, merged, partner.gather(1, merged)


def merge(x, matching):
    """Sums of the tokens x [B, N, C] over the groups of a matching, [B, N - r, C]."""
    stay, merged, into = (index.unsqueeze(-1).expand(-1, -1, x.shape[-1]) for index in matching)
    even, odd = x[:, ::2], x[:, 1::2]
    return torch.cat([even.gather(1, stay), odd.scatter_add(1, into, even.gather(1, merged))], 1)


class MergingBlock(torch.nn.Module):
    """A block of timm that merges r tokens between attention and MLP.

    Takes and returns the tokens [B, N, C] and how many patches each stands for, [B, N, 1], or None
    as long as that is one each.
    """

    def __init__(self, block, r, manual_attention, prop_attn):
        super().__init__()
        self.block, self.r = block, r
        self.manual_attention, self.prop_attn = manual_attention, prop_attn

    def attention(self, x, size):
        """Its output [B, N, C] and the keys' mean over the heads, [B, N, d]."""
        attn = self.block.attn
        qkv = attn.qkv(x).unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        q, k = attn.q_norm(q), attn.k_norm(k)
        bias = None
        if self.prop_attn and size is not None:
            bias = size.log()[:, None, None, :, 0].to(q.dtype)
        if self.manual_attention:
            scores = (q * attn.scale) @ k.transpose(-2, -1)
            x = (scores if bias is None else scores + bias).softmax(-1) @ v
        else:
            x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=attn.scale)
        return attn.proj(attn.norm(x.transpose(1, 2).flatten(2))), k.mean(1)

    def forward(self, tokens):
        x, size = tokens
        block = self.block
        attended, metric = self.attention(block.norm1(x), size)
        x = x + block.ls1(attended)
        r = min(self.r, (x.shape[1] - 1) // 2)
        if r > 0:
            matching = match(metric, r)
            if size is None:
                size = torch.ones_like(x[..., :1])
            x, size = merge(x * size, matching), merge(size, matching)
            x = x / size
        return x + block.ls2(block.mlp(block.norm2(x))), size


class MergingBlocks(torch.nn.Sequential):
    """In the place of a model's blocks."""

    def forward(self, x):
        return super().forward((x, None))[0]


def can_merge(model):
    """Whether a model's only token before the patches is a class token, which alone is read."""
    return model.num_prefix_tokens == 1 and model.global_pool == "token"


def apply(model, r, manual_attention=False, prop_attn=True):
    """Makes a VisionTransformer of timm merge r tokens (or r[i], of a list) in block i, and returns
    it. Raises ValueError for models that can_merge() is false of.
    """
    if not can_merge(model):
        raise ValueError("Token Merging in timm is made for models that read their class token")
    layers = [r] * len(model.blocks) if isinstance(r, int) else r
    blocks = zip(model.blocks, layers, strict=True)
    model.blocks = MergingBlocks(*(MergingBlock(block, layer, manual_attention, prop_attn) for block, layer in blocks))
    return model
