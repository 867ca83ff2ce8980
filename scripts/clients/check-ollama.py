"""Ollama's client, and LangChain's for Ollama. Run by scripts/check-clients."""

import math

import ollama
from common import all_same, check, done, model, plain, same, texts, url
from langchain_ollama import OllamaEmbeddings

client = ollama.Client(host=url)
answer = client.embed(model=model, input=texts)
all_same("embed", answer.embeddings, plain)
check("its figures", answer.model == model and answer.total_duration > 0 and answer.prompt_eval_count > 8)
all_same("one text, its tag named", client.embed(model=f"{model}:latest", input=texts[0], keep_alive="5m").embeddings, plain[:1])
check("dimensions", len(client.embed(model=model, input="a", dimensions=64).embeddings[0]) == 64)
raw = client.embeddings(model=model, prompt=texts[0]).embedding
check("embeddings", same([value / math.hypot(*raw) for value in raw], plain[0]))
try:
    client.embed(model="none", input="a")
    raise SystemExit("check-clients: expected a ResponseError for an unknown model")
except ollama.ResponseError as error:
    check("an unknown model", error.status_code == 404 and "none" in error.error)
langchain = OllamaEmbeddings(model=model, base_url=url)
all_same("LangChain's documents", langchain.embed_documents(texts), plain)
check("LangChain's query", same(langchain.embed_query(texts[0]), plain[0]))
done("Ollama")
