"""What a client is told of the server in the handshake: its name, and how to work with it."""

from __future__ import annotations

NAME = "flowkit"

INSTRUCTIONS = """\
FlowKit turns a story into a film on the person's own Google Flow plan (or a local simulator: see status). \
It keeps projects, cast, scenes, every take, and a queue that survives restarts.

Order of work:
1. status: is Flow ready, how many credits.
2. create_project with a style; add_character for all that must look the same (people, places, things).
3. generate_image(characters=[…]): references, needed before any scene with them.
4. add_video, add_scene (many at once; continues="previous" for a seamless join).
5. generate_image(video, missing=true), wait; again until nothing is missing. Show them; \
edit_image or new_take=true until they are right: pictures are cheap, clips are not.
6. check_plan; generate_video(video, missing=true), wait; review says what is wrong and its cheapest remedy.
7. upscale if wanted; merge, wait: the film's path. upload publishes it.
The craft of each step: skill://flowkit-produce/SKILL.md.

Making returns jobs; call wait while done=false. get_project shows what is missing or stale. \
Every result says what comes next.
Spending asks the person, with the price; never approve for them. A repeated call does not pay twice; \
another attempt is new_take=true. If a job needs attention, tell the person and call resolve_job with their answer.
Handles: names, titles, ids, "3" for scene 3, "41" for job 41. A scene number needs its video; video may be left \
out where the project has only one, project where the title is unique. \
Default orientations: the video's."""
