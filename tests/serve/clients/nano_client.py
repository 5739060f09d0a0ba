"""The official Python client of OpenAI, unchanged, against a real model: MINKE_URL=... python nano_client.py"""

import asyncio
import os

import openai

URL = os.environ["MINKE_URL"] + "/v1"
KEY = "sk-minke-test-key-0"
QUESTION = "Is 7 larger than 5? Reply as 'Answer: yes' or 'Answer: no'."
CALL = dict(model="nano", messages=[{"role": "user", "content": QUESTION}], temperature=0, max_tokens=300)


def main():
    client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
    reply = client.chat.completions.create(**CALL)
    assert reply.choices[0].message.content.startswith("Answer:"), reply
    assert reply.choices[0].message.reasoning_content
    chunks = list(client.chat.completions.create(**CALL, stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == reply.choices[0].message.content
    with client.responses.stream(model="nano", input=QUESTION, temperature=0) as stream:
        assert stream.get_final_response().output_text.startswith("Answer:")
    assert len(client.embeddings.create(model="nano", input="x").data[0].embedding) == 192
    second = [*CALL["messages"], {"role": "assistant", "content": text}, {"role": "user", "content": "Is 3 larger than 5?"}]
    usage = client.chat.completions.create(**{**CALL, "messages": second}).usage
    assert usage.prompt_tokens_details.cached_tokens > 20, usage
    try:
        client.chat.completions.create(**{**CALL, "messages": [{"role": "user", "content": "word " * 2000}]})
    except openai.BadRequestError as e:
        assert e.code == "context_length_exceeded", e
    else:
        raise AssertionError("a prompt that is too long was taken")
    asyncio.run(many(text))
    print("python openai", openai.__version__, "ok")


async def many(text):
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0) as client:
        replies = await asyncio.gather(*(client.chat.completions.create(**CALL) for _ in range(32)))
    assert all(r.choices[0].message.content == text for r in replies)


main()
