"""What is measured: a model, its input, and the settings it runs with."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """One session: everybody in it computes the same model on the same input, by turns."""

    arch: str
    image_size: tuple = ()  # (height, width); empty: what the architecture is made for
    batch: int = 8
    dtypes: tuple = ("fp32",)
    rs: tuple = (0,)  # tokens to merge in every layer; 0 is always among them
    threads: int = 2
    note: str = ""
    training: bool = False  # steps of training instead of forward passes

    def title(self):
        size = " at " + "x".join(map(str, self.image_size)) if self.image_size else ""
        what = "training, " if self.training else ""
        return f"{self.arch}{size}, {what}batch {self.batch}, {' and '.join(self.dtypes)}, {self.threads} threads"


def suite(threads):
    """The sizes that ViToMe is judged by."""
    base, all_r = "vit_base_patch16_224", (0, 8, 13, 16)
    cases = [
        Case(base, dtypes=("fp32",), rs=all_r),
        Case(base, dtypes=("bf16",), rs=all_r),
        Case(base, dtypes=("int8", "bf16")),
        Case(base, batch=1, dtypes=("bf16",), rs=(0, 13)),
        Case("vit_small_patch16_224", dtypes=("bf16",), rs=(0, 13)),
        Case("vit_large_patch16_224", batch=4, dtypes=("bf16",), rs=(0, 8)),
        Case("vit_base_patch16_384", batch=2, dtypes=("bf16",), rs=(0, 23)),
        Case(base, (448, 704), 1, ("bf16",), (0, 40), note="about the 1214 tokens of an AST"),
        Case(base, (448, 896), 1, ("bf16",), (0, 65), note="about the 1568 tokens of a VideoMAE"),
    ]
    return [dataclasses.replace(case, threads=threads) for case in cases]
