"""LangChain's client of OpenAI with its defaults, which sends token ids of OpenAI's vocabulary. Run by scripts/check-clients."""

from common import all_same, check, done, model, plain, same, texts, url
from langchain_openai import OpenAIEmbeddings

# By the model's name, which it does not know, and by one that it does.
for name in (model, "text-embedding-3-small", "text-embedding-ada-002"):
    langchain = OpenAIEmbeddings(model=name, base_url=f"{url}/v1", api_key="none")
    all_same(f"documents, {name}", langchain.embed_documents(texts), plain)
    check(f"a query, {name}", same(langchain.embed_query(texts[0]), plain[0]))
done("LangChain with its defaults")
