"""Lyrics as character n-grams: TF-IDF and a truncated SVD, fitted on the corpus itself."""

from collections.abc import Sequence

import numpy as np

MAX_FEATURES = 50_000
"""Most frequent n-grams kept: bounds memory, and what is rarer says little about a corpus."""

MAX_FIT_SONGS = 20_000
"""Songs that the vocabulary and the SVD are fitted on; more are sampled by the seed."""

ROWS_AT_ONCE = 4096

ZERO_LENGTH = 1e-6
"""A projection shorter than this holds nothing of the fitted corpus."""


class TfidfSvd:
    """Latent semantic analysis (Deerwester et al. 1990) of character n-grams.

    Character n-grams need no tokeniser and no word list, so one encoder serves every language and
    script. Term frequencies are sublinear (1 + log tf).

    Args:
        ngram_min: shortest n-gram, in characters (of lower-case text, spaces included).
        ngram_max: longest n-gram.
        dim: width of the vectors; where the corpus has fewer songs or n-grams than this, the last
            dimensions are zero.
        seed: of the randomised SVD, and of the sample that very large corpora are fitted on.
    """

    def __init__(self, ngram_min: int, ngram_max: int, dim: int, seed: int) -> None:
        self.ngram_min, self.ngram_max, self.dim, self.seed = ngram_min, ngram_max, dim, seed
        self.name = "tfidf"
        self._components: np.ndarray | None = None

    def fit(self, texts: Sequence[str]) -> "TfidfSvd":
        """Learn vocabulary, weights and SVD from cleaned texts; texts without n-grams are skipped.

        Fitting on nothing is allowed: every vector is zero then.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = [text for text in texts if len(text.strip()) >= self.ngram_min]
        if len(texts) > MAX_FIT_SONGS:
            rng = np.random.default_rng(self.seed)
            chosen = np.sort(rng.choice(len(texts), MAX_FIT_SONGS, replace=False))
            texts = [texts[i] for i in chosen]
        self._components = np.zeros((0, 0), np.float32)
        if not texts:
            return self
        self._vectorizer = TfidfVectorizer(
            analyzer="char",
            ngram_range=(self.ngram_min, self.ngram_max),
            sublinear_tf=True,
            max_features=MAX_FEATURES,
            dtype=np.float32,
        )
        weights = self._vectorizer.fit_transform(texts)
        rank = min(self.dim, *weights.shape)
        svd = TruncatedSVD(rank, algorithm="randomized", n_iter=10, random_state=self.seed)
        with np.errstate(invalid="ignore"):  # shares of the variance, of which one text has none
            svd.fit(weights)
        self._components = np.asarray(svd.components_, np.float32)
        return self

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of unit length, float32 of shape (n, dim).

        A text that is empty, shorter than the shortest n-gram or has no n-gram in common with the
        fitted corpus gets zeros.

        Raises:
            RuntimeError: when the encoder has not been fitted.
        """
        if self._components is None:
            raise RuntimeError("TfidfSvd.fit must come before transform")
        vectors = np.zeros((len(texts), self.dim), np.float32)
        rank = len(self._components)
        for start in range(0, len(texts) if rank else 0, ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            weights = self._vectorizer.transform(texts[rows])
            vectors[rows, :rank] = weights @ self._components.T
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        known = lengths > ZERO_LENGTH
        return np.where(known, vectors / np.where(known, lengths, 1.0), 0.0).astype(np.float32)
