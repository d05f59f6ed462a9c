"""What `CamRpn` says of each anchor, and that it says it of the right one."""

import hand_made
import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.modeling import CamRpn, ProposalSelector


@pytest.mark.parametrize("ratios", [(0.5, 2.0), (1.0,)])
def test_outputs_belong_to_the_anchors_of_any_ratios(ratios):
    """Those of the two 1x1 convolutions, cell by cell, and in a cell by ratio."""
    layer = CamRpn(3, channels=4, anchor_scale=4.0, anchor_ratios=ratios)
    rng = np.random.default_rng(0)
    pyramid = {
        level: tf.constant(
            rng.normal(size=[2, -(-64 // 2**level), -(-96 // 2**level), 5]), tf.float32
        )
        for level in range(2, 7)
    }
    layer.build({level: (None, None, None, 5) for level in pyramid})
    outputs = layer(pyramid)
    objectness, deltas = (
        hand_made.split_levels(outputs, values)
        for values in (outputs.objectness_logits, outputs.deltas)
    )
    boxes = hand_made.split_levels(outputs, outputs.anchors.boxes, axis=0)
    for level, features in pyramid.items():
        hidden = layer.rpn_conv(features)
        for actual, conv, shape in (
            (objectness[level], layer.rpn_objectness, [2, -1]),
            (deltas[level], layer.rpn_deltas, [2, -1, 4]),
        ):
            wanted = tf.reshape(conv(hidden), shape)
            np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-7)
        height, width = np.transpose(boxes[level][:, 2:] - boxes[level][:, :2])
        num_cells = features.shape[1] * features.shape[2]
        np.testing.assert_allclose(height / width, list(ratios) * num_cells, rtol=1e-5)
        np.testing.assert_allclose(height * width, (4.0 * 2**level) ** 2, rtol=1e-5)

    sizes = tf.constant([[64, 96], [40, 50]])
    proposals = ProposalSelector(test_max_proposals=10)(outputs, sizes, training=False)
    assert proposals.valid.numpy().all()
