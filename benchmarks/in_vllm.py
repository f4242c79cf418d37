"""The other side of benchmarks/vllm.py, run by a Python that has vLLM and need not have w2s.

    python in_vllm.py JOB

JOB is a JSON file: the folder of a `model` and its `dtype`; the `tokens` of each prompt; the `letters` of each, as
token numbers; how many prompts `warm` up. Prints one line: the seconds, the chosen token of each prompt, the most
memory of its processes in GB, and vLLM's version.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # On a processor it would reserve more memory than a small machine has.
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    import vllm  # type: ignore[import-not-found, unused-ignore]

    job = json.loads(Path(sys.argv[1]).read_text())
    model = vllm.LLM(
        model=job["model"], dtype=job["dtype"], max_model_len=2048, disable_log_stats=True, seed=0, **job["settings"]
    )
    prompts = [{"prompt_token_ids": tokens} for tokens in job["tokens"]]
    ways = [vllm.SamplingParams(max_tokens=1, temperature=0.0, allowed_token_ids=ids) for ids in job["letters"]]
    warm = job["warm"]
    model.generate(prompts[-warm:], ways[-warm:], use_tqdm=False)
    model.reset_prefix_cache()
    began = time.perf_counter()
    replies = model.generate(prompts, ways, use_tqdm=False)
    seconds = time.perf_counter() - began
    chosen = [reply.outputs[0].token_ids[0] for reply in replies]
    del model  # ends the process that computes, whose memory is known then
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "chosen": chosen, "peak": peak * 1024 / 1e9, "version": vllm.__version__}))
