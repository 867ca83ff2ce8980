"""Python's clients of OpenAI, Azure OpenAI, LangChain and Hugging Face. Run by scripts/check-clients."""

import base64
import math
import struct

import openai
from common import all_same, check, done, model, same, texts, url
from huggingface_hub import InferenceClient
from langchain_openai import AzureOpenAIEmbeddings, OpenAIEmbeddings

aliases = ["text-embedding-ada-002", "text-embedding-3-small", "nomic-embed-text"]  # as in scripts/check-clients
hello = [101, 7592, 102]  # [CLS] hello [SEP]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def embed(text_or_tokens, **more):
    return client.embeddings.create(model=model, input=text_or_tokens, **more)


def refusal(kind, **request):
    try:
        client.embeddings.create(**request)
    except kind as error:
        return error
    raise SystemExit(f"check-clients: expected {kind.__name__} for {str(request)[:200]}")


# OpenAI's: asks for base64 unless told otherwise.
plain = [entry.embedding for entry in embed(texts).data]
check("a vector a text, in order", [len(vector) for vector in plain] == [384] * 3)
check("vectors of length 1", all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) for vector in plain))
for vector, as_floats in zip(plain, embed(texts, encoding_format="float").data, strict=True):
    check("float is the same as base64", same(vector, as_floats.embedding))
packed = embed(texts[0], encoding_format="base64").data[0].embedding
if isinstance(packed, str):
    packed = list(struct.unpack("<384f", base64.b64decode(packed)))
check("base64 that was asked for", same(packed, plain[0]))
word = embed("hello")
check("a text alone", len(word.data) == 1 and word.usage.prompt_tokens == 3 and word.model == model and word.object == "list")
for tokens in (hello, [hello], [hello, hello]):
    check("token ids are the same as their text", same(embed(tokens).data[-1].embedding, word.data[0].embedding))
cut = embed(texts[0], dimensions=64, user="somebody").data[0].embedding
length = math.hypot(*plain[0][:64])
check("dimensions", same(cut, [value / length for value in plain[0][:64]]))
check("null for what has no value", len(embed("hello", extra_body={"encoding_format": None, "dimensions": None, "user": None}).data) == 1)
check("as many as may come at once", len(embed(["hello"] * 2048).data) == 2048)
check("the models", [entry.id for entry in client.models.list().data] == [model, *aliases] and client.models.retrieve(model).id == model)

wrong = (("", ""), ([], ""), ([""], ".0"), ([[]], ".0"), (["a", ""], ".1"), (["a", 1], ".1"), ([1.5], ".0"), ([10**9], ""), ({"a": 1}, ""), (None, ""), (5, ""))
for bad, item in wrong:
    error = refusal(openai.BadRequestError, model=model, input=bad)
    check(f"{bad!r} names input{item}", error.param == f"input{item}" and error.type == "invalid_request_error" and error.code == "invalid_request")
for more, param in (({"dimensions": 0}, "dimensions"), ({"dimensions": 385}, "dimensions"), ({"encoding_format": "hex"}, "encoding_format")):
    error = refusal(openai.BadRequestError, model=model, input="a", **more)
    check(f"{more} names {param}", error.param == param)
error = refusal(openai.NotFoundError, model="gpt", input="a")
check("an unknown model", error.code == "model_not_found" and error.param == "model" and "gpt" in error.message)
check("too many", refusal(openai.APIStatusError, model=model, input=["a"] * 2049).status_code == 413)
check("the id of a request", bool(error.request_id))

# LangChain's, which sends texts as they are when it is told not to count tokens itself.
langchain = OpenAIEmbeddings(model=model, base_url=f"{url}/v1", api_key="none", check_embedding_ctx_length=False)
for vector, ours in zip(langchain.embed_documents(texts), plain, strict=True):
    check("LangChain's documents", same(vector, ours))
# By its defaults it sends ids of OpenAI's vocabulary instead ("Hello world" here), and is told what to do.
foreign = refusal(openai.BadRequestError, model=model, input=[[9906, 1917]])
check("LangChain is told its setting", "check_embedding_ctx_length=False" in str(foreign))
check("LangChain's query", same(langchain.embed_query(texts[0]), plain[0]))

# Hugging Face's, as it asks text-embeddings-inference: by the address alone and by the path.
for address in (url, f"{url}/embed"):
    face = InferenceClient(model=address)
    for asked in (texts[0], texts):
        rows = face.feature_extraction(asked, normalize=True, truncate=True, truncation_direction="right").tolist()
        wanted = plain if isinstance(asked, list) else plain[:1]
        check(f"feature_extraction at {address}", len(rows) == len(wanted) and all(map(same, rows, wanted)))
raw = InferenceClient(model=url).feature_extraction(texts[0], normalize=False).tolist()[0]
check("not normalised", same([value / math.hypot(*raw) for value in raw], plain[0]))
scores = InferenceClient().sentence_similarity(texts[0], other_sentences=texts, model=f"{url}/similarity")
check("similarity", math.isclose(scores[0], 1, abs_tol=1e-5) and max(scores[1:]) < 0.9)

# Azure's, whose model is a deployment in the path, and whose key is a header of its own.
azure = openai.AzureOpenAI(azure_endpoint=url, api_key="none", api_version="2024-10-21", max_retries=0)
all_same("Azure's", [entry.embedding for entry in azure.embeddings.create(model=model, input=texts).data], plain)
v1 = openai.OpenAI(base_url=f"{url}/openai/v1/", api_key="none", max_retries=0)
all_same("Azure's v1", [entry.embedding for entry in v1.embeddings.create(model=model, input=texts).data], plain)
try:
    azure.embeddings.create(model="gpt", input="a")
    raise SystemExit("check-clients: expected NotFoundError for an unknown deployment")
except openai.NotFoundError as error:
    check("an unknown deployment", error.code == "model_not_found" and "gpt" in error.message)
langchain = AzureOpenAIEmbeddings(
    azure_endpoint=url, api_key="none", api_version="2024-10-21", model=model, check_embedding_ctx_length=False
)
all_same("LangChain's for Azure", langchain.embed_documents(texts), plain)
# A name that its configuration knows: nothing but the address has to be told to clients with another model in them.
named = openai.OpenAI(base_url=f"{url}/v1/", api_key="none").embeddings.create(model="text-embedding-3-small", input=texts)
all_same("another model's name", [entry.embedding for entry in named.data], plain)
done("OpenAI, Azure, LangChain, Hugging Face")
