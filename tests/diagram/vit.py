"""ViT-B/16 (Dosovitskiy et al. 2021, Table 1), with its class token and positions as inputs."""

ENCODER = {
    "repeated": '{ name = "encoder", type = "encoder_block", repeat = 12 },',
    "named": "\n".join(f'  {{ name = "block{number}", type = "encoder_block" }},' for number in range(12)),
}


def vit_b_16(encoder: str) -> str:
    """The spec, with twelve blocks as in `ENCODER`."""
    return f"""
name = "ViT-B/16"
[inputs]
image = [3, 224, 224]
class_token = [1, 768]
positions = [197, 768]
[[layers]]
name = "patches"
type = "conv2d"
input = "image"
out_channels = 768
kernel_size = 16
stride = 16
[[layers]]
name = "tokens"
type = "flatten"
start_dim = 1
[[layers]]
name = "features_last"
type = "permute"
dims = [1, 0]
[[layers]]
name = "with_class"
type = "cat"
inputs = ["class_token", "features_last"]
[[layers]]
name = "embedded"
type = "add"
inputs = ["with_class", "positions"]
[[layers]]
name = "transformer"
type = "transformer"
[[layers]]
name = "norm"
type = "layer_norm"
[[layers]]
name = "class"
type = "slice"
start = 0
stop = 1
[[layers]]
name = "head"
type = "linear"
out_features = 1000
[blocks.transformer]
layers = [
  {ENCODER[encoder]}
]
[blocks.encoder_block]
layers = [
  {{ name = "norm1", type = "layer_norm" }},
  {{ name = "attention", type = "multi_head_attention", num_heads = 12 }},
  {{ name = "sum1", type = "add", inputs = ["attention", "input"] }},
  {{ name = "norm2", type = "layer_norm" }},
  {{ name = "expand", type = "linear", out_features = 3072 }},
  {{ type = "gelu" }},
  {{ name = "reduce", type = "linear", out_features = 768 }},
  {{ name = "sum2", type = "add", inputs = ["reduce", "sum1"] }},
]
"""
