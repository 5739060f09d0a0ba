"""The official Python client of OpenAI, unchanged, against the scripted server: MINKE_URL=... python openai_client.py"""

import asyncio
import os

import openai

URL = os.environ["MINKE_URL"] + "/v1"
KEY = "sk-minke-test-key-0"
ANSWER = "안녕하세요, this is the answer."


def user(text):
    return [{"role": "user", "content": text}]


def main():
    client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
    reply = client.chat.completions.create(model="script", messages=user("think"))
    assert reply.choices[0].message.content == ANSWER
    assert reply.choices[0].message.reasoning_content == "first I think"
    chunks = list(client.chat.completions.create(model="script", messages=user("think"), stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
    with client.responses.stream(model="script", input="think") as stream:
        assert stream.get_final_response().output_text == ANSWER
    assert client.embeddings.create(model="script", input="x").data[0].embedding == [1.0, 0.0, -0.5]
    assert [m.id for m in client.models.list()] == ["script", "plain"]
    for error, arguments in [
        (openai.NotFoundError, {"model": "nothing", "messages": user("x")}),
        (openai.BadRequestError, {"model": "script", "messages": user("x"), "n": 99}),
    ]:
        try:
            client.chat.completions.create(**arguments)
        except error as e:
            assert e.body["message"], e
        else:
            raise AssertionError(error)
    try:
        list(client.chat.completions.create(model="script", messages=user("fail"), stream=True))
    except openai.APIError as e:
        assert "half-way" in e.message
    else:
        raise AssertionError("the error in the stream was not seen")
    asyncio.run(many())
    print("python openai", openai.__version__, "ok")


async def many():
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0) as client:
        replies = await asyncio.gather(*(client.chat.completions.create(model="script", messages=user("hello")) for _ in range(64)))
    assert all(r.choices[0].message.content == ANSWER for r in replies)


main()
