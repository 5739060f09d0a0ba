"""Runs somebody else's convert_hf_to_gguf.py on a checkpoint that has a toy tokenizer.

    python reference/run_converter.py CONVERTER_DIR PRE_TOKENIZER [arguments of the converter]

The converters recognise a tokenizer by hashing what it makes of a test text; the name is given here instead.
"""

import sys


def main():
    converter_dir, pre_tokenizer = sys.argv[1:3]
    sys.path.insert(0, converter_dir)
    sys.path.insert(0, converter_dir + "/gguf-py")  # their own gguf, newer or older than the one from PyPI
    import convert_hf_to_gguf as converter

    base = converter.Model if hasattr(converter, "Model") else sys.modules["conversion.base"].TextModel
    base.get_vocab_base_pre = lambda self, tokenizer: pre_tokenizer
    sys.argv = ["convert_hf_to_gguf.py", *sys.argv[3:]]
    converter.main()


main()
