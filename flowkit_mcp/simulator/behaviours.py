"""The thirty behaviours of flow-wire §11 and what brings each about; shown on `/made` and in docs/simulator.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowkit_mcp.simulator.switches import Switches


@dataclass(frozen=True)
class Behaviour:
    """`switches` are fields of `Switches`; `also` names commands, faults and prompt markers."""

    number: int
    what: str
    switches: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


_ROWS: tuple[tuple[str, str, str], ...] = (
    ("Both lanes; wrong length lines, split frames, nested JSON", "framing", "lane"),
    (
        "Errors under HTTP 200, er frames, no data, sign-in pages",
        "",
        "er_frame null_payload html_page sign_out",
    ),
    (
        "Page values and bearers die, one call first; the cookie rotates",
        "rotate_page bearer_minutes bearer_early bearer_early_minutes rotate_cookie",
        "stale_page unauthenticated",
    ),
    ("Image models that want to know the page; /u/1/ in paths", "needs_source_path", ""),
    (
        "Captcha: single use, two minutes, per action, low trust for a while",
        "captcha captcha_lifetime_s captcha_parallel",
        "distrust_s unusual",
    ),
    ("UUID and CA… ids; suffixed and slug ids", "long_ids image_names", ""),
    (
        "Four submit shapes, media as object or array, status at two paths or absent",
        "submit_shape status_path status_url upload_media image_address",
        "",
    ),
    ("A workflow id is no media id in a poll", "poll_by_workflow", ""),
    ("Step ids that mean nothing", "step_ids", ""),
    ("Ids that follow from seeds; a seed used twice is refused", "derived_ids", ""),
    ("The reply to an edit names its inputs too", "echo_inputs", ""),
    (
        "Orders of states, long ACTIVE, never scheduled, charged and never scheduled",
        "lifecycle extend_source",
        "[[stuck]] [[slow=SECONDS]]",
    ),
    (
        "Done before the address, poster before the clip, bytes that are no clip",
        "url_delay_s media_bytes media_omni",
        "missing_url",
    ),
    (
        "Addresses that expire; Range; another path; redirects",
        "url_lifetime_s url_path redirect_status",
        "lane",
    ),
    ("Inline bytes of picture upscales and of clips that exist", "existing_upscale", ""),
    ("Uploads that are forgotten; ids nobody knows are ignored", "upload_ttl_s", ""),
    ("Accepted, empty, not charged", "submit_shape", ""),
    (
        "Silent acceptance: slots, masks, references, paging tokens",
        "drop_references upscale_slot_6 picture_levels portrait_keys",
        "",
    ),
    ("Keys a plan does not have, prices per plan, daily quotas", "quota", "tier model_denied"),
    (
        "Filters, at once and later; failure without a reason; none charged",
        "",
        "[[unsafe]] [[unsafe-later]] [[prominent]] [[filtered]] [[audio-filtered]] [[fail]] "
        "[[fail-noreason]]",
    ),
    (
        "Limits with their recovery times; Retry-After",
        "submits_per_minute concurrent_limit picture_upscale_burst retry_after retry_after_s",
        "throttled traffic quota user_quota concurrent exhausted",
    ),
    (
        "5xx, high traffic, cut before and after acceptance, a picture that outlives its call",
        "",
        "internal internal_after unavailable cut_before cut_after [[cut]] [[slow=SECONDS]]",
    ),
    ("A page titled Sorry… instead of an answer", "", "html_sorry"),
    ("A batch that fails in part; a poll without one id", "", "poll_missing [[fail]]"),
    (
        "Credits debited, refunded, null in polls, stale, not enough",
        "poll_credits stale_credits",
        "balance",
    ),
    (
        "Huge listings, paging, lag, trash and delete",
        "listing_padding_mb listing_lag_s",
        "",
    ),
    ("Two accounts, two tabs, the wrong project in a call", "", "account"),
    ("Models renamed, rpc ids moved", "renamed_models moved_rpcs", ""),
    ("Cancelling: a picture, a running clip, too late", "", ""),
    ("Uploads wait for consent given once", "upload_consent", "consent"),
)

BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    Behaviour(number, what, tuple(switches.split()), tuple(also.split()))
    for number, (what, switches, also) in enumerate(_ROWS, 1)
)


def listed() -> list[dict[str, Any]]:
    """For `/made/data`: `{number, what, switches: {name: default}, also: [name]}`."""
    return [
        {
            "number": one.number,
            "what": one.what,
            "switches": {name: _default(name) for name in one.switches},
            "also": list(one.also),
        }
        for one in BEHAVIOURS
    ]


def table() -> str:
    """The table of docs/simulator.md."""
    lines = ["| § 11 | what | switches (default) | also |", "|--|--|--|--|"]
    for one in BEHAVIOURS:
        switches = ", ".join(f"`{name}` ({_default(name)!r})" for name in one.switches)
        also = ", ".join(f"`{name}`" for name in one.also)
        lines.append(f"| {one.number} | {one.what} | {switches or 'always'} | {also or '–'} |")
    return "\n".join(lines).replace("'always'", "always")


def _default(name: str) -> Any:
    return Switches.model_fields[name].get_default(call_default_factory=True)
