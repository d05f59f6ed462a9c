"""Times torchvision's Faster R-CNN with a ResNet-50 and FPN; make_table.py starts it.

The peer of `detector_worker.py` with what the two share set alike: frozen batch norm,
stem and first stage not trained, random weights, 512 regions an image, SGD with
momentum and weight decay, TF32 products, autotuned convolutions, each step's losses
fetched. bfloat16 is autocast. It runs one stage where ours runs three.
"""

import argparse
import time

import torch
import torchvision
from cases import BOXES_PER_IMAGE, NUM_CLASSES
from peer import serve
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone


class Detector:
    def __init__(self, canvas, num_threads):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if num_threads:
            torch.set_num_threads(num_threads)
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(0)
        self.canvas = canvas
        backbone = resnet_fpn_backbone(
            backbone_name="resnet50",
            weights=None,
            norm_layer=torchvision.ops.misc.FrozenBatchNorm2d,
            trainable_layers=3,
        )
        self.model = torchvision.models.detection.FasterRCNN(
            backbone, NUM_CLASSES + 1, min_size=min(canvas), max_size=max(canvas)
        ).to(self.device)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        # As small as leaves random weights finite; the time does not depend on it.
        self.optimizer = torch.optim.SGD(
            parameters, 1e-6, momentum=0.9, weight_decay=1e-4
        )

    def facts(self):
        is_gpu = self.device == "cuda"
        return {
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "device": torch.cuda.get_device_name() if is_gpu else "cpu",
        }

    def time(self, kind, batch, precision, warmup, steps):
        """Seconds of each step, the warm-up left out, and the peak of memory."""
        run = self._make_run(kind, batch, precision)
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = []
        for _ in range(warmup + steps):
            start = time.perf_counter()
            run()
            if self.device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        peak = torch.cuda.max_memory_allocated() if self.device == "cuda" else None
        return {"seconds": seconds[warmup:], "peak_bytes": peak}

    def _make_run(self, kind, batch, precision):
        generator = torch.Generator().manual_seed(1)
        images, targets = _make_batch(batch, self.canvas, generator, self.device)
        autocast = torch.autocast(
            self.device, torch.bfloat16, enabled=precision == "bfloat16"
        )
        is_training = kind == "training"

        def infer():
            with torch.inference_mode(), autocast:
                return [found["scores"].tolist() for found in self.model(images)]

        def train():
            with autocast:
                losses = self.model(images, targets)
                loss = sum(losses.values())
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            return [float(value.detach()) for value in losses.values()]

        self.model.train(is_training)
        return train if is_training else infer


def _make_batch(batch, canvas, generator, device):
    images, targets = [], []
    extent = torch.tensor([canvas[1], canvas[0]])
    for _ in range(batch):
        images.append(torch.rand([3, *canvas], generator=generator).to(device))
        low = torch.rand([BOXES_PER_IMAGE, 2], generator=generator) * extent * 0.6
        sides = (0.05 + 0.3 * torch.rand(low.shape, generator=generator)) * extent
        labels = torch.randint(
            1, NUM_CLASSES + 1, [BOXES_PER_IMAGE], generator=generator
        )
        targets.append(
            {
                "boxes": torch.cat([low, low + sides], dim=1).to(device),
                "labels": labels.to(device),
            }
        )
    return images, targets


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--canvas", type=int, nargs=2, required=True)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    detector = Detector(tuple(arguments.canvas), arguments.threads)
    serve({"time": detector.time}, detector.facts())


if __name__ == "__main__":
    main()
