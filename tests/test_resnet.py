from dataclasses import replace

import numpy as np

from vitlib import REPORT_RESNET, build_resnet


def test_the_report_resnet_has_the_parameters_of_the_report():
    model = build_resnet(replace(REPORT_RESNET, augmentation="none"))
    sizes = [layer.count_params() for layer in model.layers if layer.count_params()]
    assert sizes == [42_626_560, 1_049_088, 525_312, 102_500]
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trainable) == (44_303_460, 44_205_796)
    assert model.get_layer("resnet101v2").output.shape == (None, 1, 1, 2048)
    assert model.output.shape == (None, 100)
