"""LlamaIndex's embeddings with their defaults, told the agent's address. Run by scripts/check-clients."""

from common import all_same, done, model, plain, texts, url
from llama_index.embeddings.azure_openai import AzureOpenAIEmbedding
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

embeddings = [
    OpenAIEmbedding(api_base=f"{url}/v1", api_key="none"),
    AzureOpenAIEmbedding(
        deployment_name=model, azure_endpoint=url, api_key="none", api_version="2024-10-21"
    ),
    OllamaEmbedding(model_name=model, base_url=url),
    TextEmbeddingsInference(base_url=url, model_name=model),
]
for embedding in embeddings:
    name = type(embedding).__name__
    all_same(f"{name}, texts", embedding.get_text_embedding_batch(texts), plain)
    all_same(f"{name}, queries", [embedding.get_query_embedding(text) for text in texts], plain)
done("LlamaIndex")
