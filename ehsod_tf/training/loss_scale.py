"""Loss scaling for float16, with several replicas."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ehsod_tf")
class ReplicatedLossScale(keras.optimizers.LossScaleOptimizer):
    """Keras's loss scaling, in which all replicas skip a step if one of them must.

    Keras looks at the gradients of the first replica alone, before they are summed. A
    value that is not finite on another replica then reaches the weights of all.

    Wrap an optimizer in it where the policy is ``mixed_float16``; otherwise
    ``model.compile`` wraps it in Keras's own.
    """

    def check_finite(self, grads):
        finite = super().check_finite(grads)
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync == 1:
            return finite
        broken = tf.cast(tf.logical_not(finite), tf.float32)
        return context.merge_call(_is_zero_everywhere, args=(broken,))


def _is_zero_everywhere(strategy, value):
    total = strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
    return tf.equal(total, 0.0)
