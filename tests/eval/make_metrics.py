#!/usr/bin/env python3
"""Writes tests/data/eval/metrics.json: made-up logits and labels, and what scikit-learn and NumPy
make of them."""

import json
import pathlib

import numpy as np
from sklearn import metrics

HERE = pathlib.Path(__file__).resolve().parent.parent / "data" / "eval"
BINS = 15


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def calibration(probabilities, labels):
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    bins, error = [], 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
        bins.append([int(inside.sum()), float(confidence[inside].mean()) if inside.any() else 0, float(correct[inside].mean()) if inside.any() else 0])
    return error, bins


def single(logits, first, labels, classes):
    probabilities = softmax(logits)
    prediction = probabilities.argmax(axis=1)
    ece, bins = calibration(probabilities, labels)
    every = list(range(classes))
    return {
        "top1": metrics.accuracy_score(labels, prediction),
        "top5": metrics.top_k_accuracy_score(labels, probabilities, k=5, labels=every),
        "loss": metrics.log_loss(labels, probabilities, labels=every),
        "confusion": metrics.confusion_matrix(labels, prediction, labels=every).tolist(),
        "recall": metrics.recall_score(labels, prediction, labels=every, average=None, zero_division=0).tolist(),
        "ece": ece,
        "bins": bins,
        "agreement": float((prediction == first.argmax(axis=1)).mean()),
    }


def multi(logits, shown):
    p = 1 / (1 + np.exp(-logits))
    bce = -(shown * np.log(p) + (1 - shown) * np.log(1 - p)).mean()
    average = [metrics.average_precision_score(shown[:, i], logits[:, i]) if shown[:, i].any() else None for i in range(shown.shape[1])]
    return {"average_precision": average, "map": float(np.mean([a for a in average if a is not None])), "loss": float(bce)}


def mean_precision(logits, shown, weights):
    return np.mean([metrics.average_precision_score(shown[:, i], logits[:, i], sample_weight=weights) for i in range(shown.shape[1]) if shown[:, i].any()])


def loss_deviation(first, other, shown):
    """Of the mAP lost, by the infinitesimal jackknife: slopes by differences."""
    step, squares = 1e-4, 0.0
    for i in range(len(shown)):
        weights = np.ones((2, len(shown)))
        weights[:, i] += step, -step
        up, down = (mean_precision(first, shown, w) - mean_precision(other, shown, w) for w in weights)
        squares += ((up - down) / (2 * step)) ** 2
    return float(np.sqrt(squares))


def main():
    random = np.random.default_rng(7)
    count, classes = 200, 9
    labels = random.integers(0, classes - 1, count)  # the last class is never shown
    first = random.normal(0, 1, (count, classes)) + 2.2 * np.eye(classes)[labels]
    second = first + random.normal(0, 0.7, first.shape)
    first, second = (np.round(x, 3).astype(np.float32).astype(np.float64) for x in (first, second))
    shown = (random.random((count, classes)) < 0.25).astype(int)
    shown[:, 4] = 0
    scores = np.round(random.normal(0, 1, (count, classes)) + 0.8 * shown, 1)  # coarse: many ties
    scores = scores.astype(np.float32).astype(np.float64)
    other = np.round(scores + random.normal(0, 0.5, scores.shape), 1).astype(np.float32).astype(np.float64)
    HERE.mkdir(parents=True, exist_ok=True)
    document = {
        "labels": labels.tolist(),
        "logits": [np.round(first, 3).tolist(), np.round(second, 3).tolist()],
        "expected": [single(x, first, labels, classes) for x in (first, second)],
        "multi_label": {
            "shown": [np.flatnonzero(row).tolist() for row in shown],
            "logits": np.round(scores, 1).tolist(),
            "other_logits": np.round(other, 1).tolist(),
            "expected": multi(scores, shown),
            "other_expected": multi(other, shown),
            "loss_deviation": loss_deviation(scores, other, shown),
        },
    }
    (HERE / "metrics.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
