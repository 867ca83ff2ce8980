"""Haystack's embedders with their defaults, told the agent's address. Run by scripts/check-clients."""

import math
import os

from common import all_same, check, done, plain, texts, url
from haystack import Document
from haystack.components.embedders import AzureOpenAITextEmbedder, OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.utils import Secret
from haystack_integrations.components.embedders.huggingface_api import (
    HuggingFaceAPIDocumentEmbedder,
    HuggingFaceAPITextEmbedder,
)
from haystack_integrations.components.embedders.ollama import OllamaDocumentEmbedder, OllamaTextEmbedder



def scaled(vector):
    """Hugging Face's embedders ask for vectors that are not scaled to length 1."""
    return [value / math.hypot(*vector) for value in vector]


key = Secret.from_token("none")
os.environ["AZURE_OPENAI_API_KEY"] = "none"
face = {"api_type": "text_embeddings_inference", "api_params": {"url": url}}
text_embedders = [
    OpenAITextEmbedder(api_base_url=f"{url}/v1", api_key=key),
    AzureOpenAITextEmbedder(azure_endpoint=url),
    HuggingFaceAPITextEmbedder(**face),
    OllamaTextEmbedder(url=url),
]
for embedder in text_embedders:
    all_same(type(embedder).__name__, [scaled(embedder.run(text)["embedding"]) for text in texts], plain)
document_embedders = [
    OpenAIDocumentEmbedder(api_base_url=f"{url}/v1", api_key=key),
    HuggingFaceAPIDocumentEmbedder(**face),
    OllamaDocumentEmbedder(url=url),
]
for embedder in document_embedders:
    documents = embedder.run([Document(content=text) for text in texts])["documents"]
    all_same(type(embedder).__name__, [scaled(document.embedding) for document in documents], plain)
usage = OpenAITextEmbedder(api_base_url=f"{url}/v1", api_key=key).run("hello")["meta"]["usage"]
check("tokens", usage["prompt_tokens"] == 3)
done("Haystack")
