"""`make explain`: Snakemake's reasons in words."""

from songatlas.report.explain import Job, explain, why

HASHES = ("0123456789abcdef", "fedcba9876543210")


def job(rule: str, reason: str, output: tuple[str, ...] = ("out",), **wildcards: str) -> Job:
    return Job(rule, wildcards, reason, output)


def params(before: str, now: str) -> str:
    return (
        "Params have changed since last execution: Union of exclusive params before and now "
        f"across all output: before: {before} now: {now} "
    )


def test_a_changed_key_is_named_with_both_values() -> None:
    reason = params("{'beta': 4.0, 'dim': 8}", "{'beta': 2.0, 'dim': 8}")
    assert why(job("train", reason)) == ["parameters changed (beta 4.0 -> 2.0)"]


def test_code_and_parameters_are_told_apart() -> None:
    reason = params(f"'{HASHES[0]}',{{'k': [2]}}", f"{{'k': [2, 3]}},'{HASHES[1]}'")
    assert why(job("clusters", reason)) == [
        "its code changed",
        "parameters changed (k [2] -> [2, 3])",
    ]


def test_values_without_a_name_stand_for_themselves() -> None:
    assert why(job("x", params("0", "1"))) == ["parameters changed (0 -> 1)"]
    reason = params("<nothing exclusive>", "'b',['a']")
    assert why(job("x", reason)) == ['parameters changed (now b, now ["a"])']
    assert why(job("x", params("['a', 'b']", "['a']"))) == [
        'parameters changed (["a", "b"] -> ["a"])'
    ]


def test_entries_of_a_list_are_compared_by_name() -> None:
    old = "[{'name': 'a', 'beta': 4.0}, {'name': 'b', 'beta': 1.0}]"
    new = "[{'name': 'a', 'beta': 2.0}, {'name': 'c', 'beta': 1.0}]"
    assert why(job("architectures", params(old, new))) == [
        "parameters changed (a beta 4.0 -> 2.0, no longer b, now c)"
    ]


def test_long_values_are_cut() -> None:
    (reason,) = why(job("x", params(f"'{'a' * 300}'", "'b'")))
    assert len(reason) < 150
    assert reason.endswith("… -> b)")


def test_what_cannot_be_read_is_given_as_it_is() -> None:
    assert why(job("x", params("<object at 0x1>", "1"))) == [
        "parameters changed (<object at 0x1> -> 1)"
    ]


def test_long_lists_of_files_are_cut() -> None:
    (reason,) = why(job("x", "Missing output files: " + ", ".join("abcdefgh")))
    assert reason == "missing output files: a, b, c, d, e, f, 2 more"


def test_jobs_that_follow_others_come_last_and_are_grouped() -> None:
    follows = "Input files updated by another job: a; Set of input files has changed"
    text = explain(
        [
            job("train", params("1", "2"), model="beta_vae", seed="0"),
            job("latents", "Input files updated by another job: a, b", model="beta_vae", seed="0"),
            job("maps", "Input files updated by another job: c"),
            job("figure_training", follows),
            job("all", "Input files updated by another job: c", output=()),
        ]
    )
    assert text.splitlines() == [
        "train beta_vae 0: parameters changed (1 -> 2)",
        "figure_training: set of input files has changed",
        "then, because of these:",
        "  latents beta_vae 0",
        "  maps",
        "4 jobs in all.",
    ]


def test_nothing_to_do_is_said() -> None:
    assert explain([]) == "Nothing to do: every result is up to date."
