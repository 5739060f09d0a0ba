"""TensorBoard's own event files: makes tests/goldens/events/golden.tfevents, and reads files that minke wrote.

    make_events.py                 makes the golden (needs tensorboard, see requirements.txt)
    make_events.py --check FOLDER  prints what TensorBoard reads in a run's folder, as JSON
"""

import argparse
import io
import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

GOLDEN = Path(__file__).resolve().parent.parent / "tests/goldens/events/golden.tfevents"


def events():
    """The same four events that tests/train/event_file_test.cpp writes."""
    yield event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2")
    yield event_pb2.Event(
        wall_time=1700000001.5,
        step=301,
        session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START),
    )
    yield event_pb2.Event(
        wall_time=1700000002.0,
        step=301,
        summary=summary_pb2.Summary(
            value=[
                summary_pb2.Summary.Value(tag="train/loss", simple_value=3.25),
                summary_pb2.Summary.Value(tag="train/lr", simple_value=0.1),
            ]
        ),
    )
    text = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)]),
        string_val=[("작은 고래 " + "whale " * 40).encode()],
    )
    metadata = summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
    )
    yield event_pb2.Event(
        wall_time=1700000003.0,
        step=2**40,
        summary=summary_pb2.Summary(
            value=[summary_pb2.Summary.Value(tag="sample", tensor=text, metadata=metadata)]
        ),
    )


class Kept(io.BytesIO):
    def close(self):  # RecordWriter closes what it writes to
        pass


def make():
    file = Kept()
    writer = RecordWriter(file)
    for event in events():
        writer.write(event.SerializeToString(deterministic=True))
    writer.flush()
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_bytes(file.getvalue())


def check(folder):
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    scalars = {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]}
    texts = {
        tag: [[e.step, e.tensor_proto.string_val[0].decode()] for e in accumulator.Tensors(tag)]
        for tag in tags["tensors"]
        if accumulator.SummaryMetadata(tag).plugin_data.plugin_name == "text"
    }
    print(json.dumps({"scalars": scalars, "texts": texts}, ensure_ascii=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="FOLDER")
    arguments = parser.parse_args()
    check(arguments.check) if arguments.check else make()
