"""What Netron's page and the chapters show, for the tests that open them."""

import collections

import onnx

from mnist_helpers._support.paths import COURSE as ROOT

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


MODEL = ROOT / "models" / "report_net.onnx"  # chapter 02's
SHOWN = {"02_network": MODEL, "09_deployment": ROOT / "models" / "report_int8.onnx"}  # on the site


def nodes_of(model):
    """How many nodes of each kind an ONNX file has, and how many in all."""
    kinds = collections.Counter(node.op_type for node in onnx.load(model).graph.node)
    return {**kinds, "in all": kinds.total()}


def shown_nodes(frame, kinds):
    """What Netron shows in `frame`: how many boxes of each of `kinds`, and how many in all."""
    boxes = frame.locator("#canvas .node-item-type")
    boxes.first.wait_for(timeout=60_000)
    shown = {kind: boxes.get_by_text(kind, exact=True).count() for kind in kinds if kind != "in all"}
    return {**shown, "in all": boxes.count()}
