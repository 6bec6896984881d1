-- Times are integer milliseconds since 1970 UTC, written by the program's one clock. Text ids are UUIDv7.
-- A row's columns are the fields of the model of the same name in domain/models.py.

CREATE TABLE project (
  id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL CHECK (name <> ''),
  description TEXT NOT NULL DEFAULT '', story TEXT NOT NULL DEFAULT '', language TEXT NOT NULL DEFAULT 'en',
  style TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE','ARCHIVED')),
  provider TEXT NOT NULL DEFAULT 'flow', budget_credits INTEGER CHECK (budget_credits >= 0),
  thumbnail_asset_id TEXT REFERENCES asset,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE project_remote (               -- where a provider keeps this project: accounts differ
  project_id TEXT NOT NULL REFERENCES project ON DELETE CASCADE, provider TEXT NOT NULL, account TEXT NOT NULL,
  remote_id TEXT NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, provider, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE character (                    -- stands alone; project_character links it
  id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL CHECK (name <> ''),
  entity_type TEXT NOT NULL DEFAULT 'character'
    CHECK (entity_type IN ('character','location','creature','visual_asset','generic_troop','faction')),
  description TEXT NOT NULL DEFAULT '', image_prompt TEXT, voice_description TEXT,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE project_character (
  project_id TEXT NOT NULL REFERENCES project ON DELETE CASCADE,
  character_id TEXT NOT NULL REFERENCES character ON DELETE CASCADE,
  PRIMARY KEY (project_id, character_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE video (
  id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES project ON DELETE CASCADE,
  slug TEXT NOT NULL, title TEXT NOT NULL CHECK (title <> ''), description TEXT NOT NULL DEFAULT '',
  display_order INTEGER NOT NULL, orientation TEXT CHECK (orientation IN ('VERTICAL','HORIZONTAL')),  -- NULL = both
  privacy TEXT NOT NULL DEFAULT 'private' CHECK (privacy IN ('private','unlisted','public')),
  tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)), removed_at INTEGER,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  UNIQUE (project_id, slug)
) STRICT;
CREATE INDEX video_of_project ON video (project_id, display_order);

CREATE TABLE scene (
  id TEXT PRIMARY KEY, video_id TEXT NOT NULL REFERENCES video ON DELETE CASCADE, display_order INTEGER NOT NULL,
  prompt TEXT NOT NULL CHECK (prompt <> ''), image_prompt TEXT, video_prompt TEXT, narration TEXT,
  chain_type TEXT NOT NULL DEFAULT 'ROOT' CHECK (chain_type IN ('ROOT','CONTINUATION','INSERT')),
  parent_scene_id TEXT REFERENCES scene,
  trim_start REAL CHECK (trim_start >= 0), trim_end REAL CHECK (trim_end > 0),
  removed_at INTEGER,                       -- paid media stay in the library, so scenes are never deleted
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  CHECK ((chain_type = 'ROOT') = (parent_scene_id IS NULL)),
  CHECK (trim_end IS NULL OR trim_start IS NULL OR trim_end > trim_start)
) STRICT;
CREATE INDEX scene_of_video ON scene (video_id, display_order);
CREATE INDEX scene_of_parent ON scene (parent_scene_id) WHERE parent_scene_id IS NOT NULL;

CREATE TABLE scene_character (
  scene_id TEXT NOT NULL REFERENCES scene ON DELETE CASCADE, character_id TEXT NOT NULL REFERENCES character,
  position INTEGER NOT NULL, PRIMARY KEY (scene_id, character_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE asset (                        -- one immutable piece of media in the library
  id TEXT PRIMARY KEY, media TEXT NOT NULL CHECK (media IN ('image','video','audio')),
  path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL CHECK (length(sha256) = 64), bytes INTEGER NOT NULL,
  width INTEGER, height INTEGER, duration_ms INTEGER, created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE asset_remote (                 -- where a provider knows it; signed URLs are secrets and are not kept
  asset_id TEXT NOT NULL REFERENCES asset, provider TEXT NOT NULL, account TEXT NOT NULL, remote_project_id TEXT,
  remote_id TEXT NOT NULL, gone_at INTEGER, created_at INTEGER NOT NULL,
  PRIMARY KEY (provider, account, remote_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_remote_of_asset ON asset_remote (asset_id, provider, account);

CREATE TABLE take (                         -- one attempt at filling one slot
  id TEXT PRIMARY KEY, scene_id TEXT REFERENCES scene, character_id TEXT REFERENCES character,
  orientation TEXT NOT NULL CHECK (orientation IN ('VERTICAL','HORIZONTAL')),
  stage TEXT NOT NULL CHECK (stage IN ('reference','image','video','upscale','image_upscale')),
  number INTEGER NOT NULL CHECK (number >= 1), asset_id TEXT NOT NULL REFERENCES asset,
  made_from_id TEXT REFERENCES take, ends_on_id TEXT REFERENCES take, job_id INTEGER UNIQUE REFERENCES job,
  prompt TEXT, model TEXT, params TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(params)), credits INTEGER,
  selected INTEGER NOT NULL DEFAULT 0 CHECK (selected IN (0, 1)), note TEXT, created_at INTEGER NOT NULL,
  CHECK ((scene_id IS NULL) <> (character_id IS NULL)), CHECK ((stage = 'reference') = (character_id IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX take_scene_number ON take (scene_id, orientation, stage, number) WHERE scene_id IS NOT NULL;
CREATE UNIQUE INDEX take_character_number ON take (character_id, number) WHERE character_id IS NOT NULL;
CREATE UNIQUE INDEX take_scene_selected ON take (scene_id, orientation, stage) WHERE selected = 1 AND scene_id IS NOT NULL;
CREATE UNIQUE INDEX take_character_selected ON take (character_id) WHERE selected = 1 AND character_id IS NOT NULL;
CREATE INDEX take_of_asset ON take (asset_id);
CREATE INDEX take_made_from ON take (made_from_id) WHERE made_from_id IS NOT NULL;
CREATE INDEX take_ends_on ON take (ends_on_id) WHERE ends_on_id IS NOT NULL;

CREATE TABLE trim (                         -- the part of a scene's clip that is shown; overrides the scene's own
  scene_id TEXT NOT NULL REFERENCES scene, orientation TEXT NOT NULL CHECK (orientation IN ('VERTICAL','HORIZONTAL')),
  start_s REAL NOT NULL DEFAULT 0 CHECK (start_s >= 0), end_s REAL CHECK (end_s > start_s),
  PRIMARY KEY (scene_id, orientation)
) STRICT, WITHOUT ROWID;

CREATE TABLE render (                       -- a film assembled by ffmpeg from clips
  id TEXT PRIMARY KEY, video_id TEXT NOT NULL REFERENCES video,
  orientation TEXT NOT NULL CHECK (orientation IN ('VERTICAL','HORIZONTAL')), number INTEGER NOT NULL,
  asset_id TEXT NOT NULL REFERENCES asset, recipe TEXT NOT NULL CHECK (json_valid(recipe)),
  job_id INTEGER UNIQUE REFERENCES job, created_at INTEGER NOT NULL,
  UNIQUE (video_id, orientation, number)
) STRICT;

CREATE TABLE publication (                  -- a render on YouTube
  id TEXT PRIMARY KEY, render_id TEXT NOT NULL REFERENCES render, job_id INTEGER UNIQUE REFERENCES job,
  platform TEXT NOT NULL, channel_id TEXT NOT NULL, channel TEXT NOT NULL, remote_id TEXT NOT NULL, url TEXT NOT NULL,
  privacy TEXT NOT NULL, publish_at INTEGER, metadata TEXT NOT NULL CHECK (json_valid(metadata)),  -- exactly as sent
  steps TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(steps)),           -- what comes after the film: left, done or why not
  processing TEXT NOT NULL DEFAULT 'uploaded', trouble TEXT,            -- YouTube's uploadStatus, and its reason
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  UNIQUE (platform, remote_id)
) STRICT;
CREATE INDEX publication_of_render ON publication (render_id);

-- ---- the queue ---------------------------------------------------------------------------------

CREATE TABLE job (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, request TEXT NOT NULL CHECK (json_valid(request)),
  fingerprint TEXT NOT NULL, provider TEXT NOT NULL,                    -- 'local' for ffmpeg work
  project_id TEXT REFERENCES project, video_id TEXT REFERENCES video,
  scene_id TEXT REFERENCES scene, character_id TEXT REFERENCES character,
  orientation TEXT CHECK (orientation IN ('VERTICAL','HORIZONTAL')),
  stage TEXT CHECK (stage IN ('reference','image','video','upscale','image_upscale')),
  state TEXT NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued','running','waiting','needs_attention','succeeded','failed','cancelled')),
  reason TEXT, message TEXT, priority INTEGER NOT NULL, run_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, generation INTEGER,
  progress REAL NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
  credits_estimate INTEGER NOT NULL DEFAULT 0, credits INTEGER,
  take_id TEXT REFERENCES take, render_id TEXT REFERENCES render,
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
  created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER,
  CHECK ((state = 'running') = (generation IS NOT NULL)),
  CHECK ((state IN ('succeeded','failed','cancelled')) = (finished_at IS NOT NULL))
) STRICT;
CREATE INDEX job_ready ON job (priority, run_at, id) WHERE state IN ('queued','waiting');
CREATE UNIQUE INDEX job_once ON job (fingerprint) WHERE state IN ('queued','running','waiting','needs_attention');
CREATE INDEX job_of_scene ON job (scene_id, orientation, stage) WHERE state IN ('queued','running','waiting','needs_attention');
CREATE INDEX job_of_character ON job (character_id) WHERE state IN ('queued','running','waiting','needs_attention');
CREATE INDEX job_of_project ON job (project_id, id);

CREATE TABLE operation (                    -- one call that may cost; written before it is made; the ledger: never deleted
  id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES job, provider TEXT NOT NULL, account TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intended','submitted','done','failed','refused','void','unknown','abandoned')),
  client_ref TEXT NOT NULL UNIQUE,          -- chosen by us, sent with the call, the key for look-up
  via TEXT,                                 -- which browser profile was asked to send it
  brief TEXT NOT NULL CHECK (json_valid(brief)),                        -- what was sent: what a look-up can search for
  remote_id TEXT, credits_estimate INTEGER NOT NULL, credits_before INTEGER, credits_after INTEGER,
  reply TEXT CHECK (reply IS NULL OR json_valid(reply)),
  intended_at INTEGER NOT NULL, submitted_at INTEGER, settled_at INTEGER,
  CHECK (state <> 'submitted' OR remote_id IS NOT NULL),
  CHECK ((state IN ('intended','submitted','unknown')) = (settled_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX operation_live ON operation (job_id) WHERE state IN ('intended','submitted','unknown');
CREATE INDEX operation_of_job ON operation (job_id, id);
CREATE INDEX operation_in_flight ON operation (provider) WHERE state IN ('intended','submitted');

CREATE TABLE job_event (
  id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES job, at INTEGER NOT NULL,
  type TEXT NOT NULL, data TEXT CHECK (data IS NULL OR json_valid(data))
) STRICT;
CREATE INDEX job_event_of_job ON job_event (job_id, id);

CREATE TABLE provider_state (               -- gate, pacing and account; kept across restarts
  provider TEXT PRIMARY KEY, gate TEXT NOT NULL DEFAULT 'open' CHECK (gate IN ('open','paused','blocked')),
  reason TEXT, message TEXT, resume_at INTEGER, probing INTEGER NOT NULL DEFAULT 0 CHECK (probing IN (0, 1)),
  failures INTEGER NOT NULL DEFAULT 0, next_submit_at INTEGER NOT NULL DEFAULT 0,
  connected INTEGER NOT NULL DEFAULT 0 CHECK (connected IN (0, 1)), lane TEXT,
  account TEXT CHECK (account IS NULL OR json_valid(account)), account_at INTEGER,
  checks TEXT CHECK (checks IS NULL OR json_valid(checks)), updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (                      -- what the person decided for the whole library, e.g. the day's budget
  name TEXT PRIMARY KEY, value TEXT NOT NULL CHECK (json_valid(value)), updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leader (
  one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
  started_at INTEGER NOT NULL, heartbeat_at INTEGER NOT NULL,
  resign_requested INTEGER NOT NULL DEFAULT 0 CHECK (resign_requested IN (0, 1))
) STRICT;

-- ---- views -------------------------------------------------------------------------------------

CREATE VIEW ledger AS                       -- one row a call that may cost: what it took, what came back, what nobody knows
  SELECT o.id, o.intended_at, j.project_id, j.video_id, j.scene_id, s.display_order AS scene, j.character_id,
         j.orientation, j.stage, o.job_id, j.kind, o.provider, o.account, o.state, o.credits_estimate AS price,
         CASE WHEN o.state IN ('intended','submitted','done','unknown','abandoned')
                OR (o.state = 'failed' AND json_extract(o.reply, '$.charged') IN ('yes','unknown'))
              THEN o.credits_estimate ELSE 0 END AS credits,
         CASE WHEN o.state = 'failed' AND json_extract(o.reply, '$.charged') = 'refunded'
              THEN o.credits_estimate ELSE 0 END AS refunded,
         CASE WHEN o.state = 'unknown' OR (o.state = 'failed' AND json_extract(o.reply, '$.charged') = 'unknown')
              THEN o.credits_estimate ELSE 0 END AS unknown,
         EXISTS (SELECT 1 FROM job q JOIN operation p ON p.job_id = q.id        -- the slot had been paid for before
                  WHERE q.project_id IS j.project_id AND p.id < o.id AND q.scene_id IS j.scene_id
                    AND q.character_id IS j.character_id AND q.orientation IS j.orientation AND q.stage IS j.stage
                    AND p.state IN ('submitted','done','unknown','abandoned')) AS retake
    FROM operation o JOIN job j ON j.id = o.job_id LEFT JOIN scene s ON s.id = j.scene_id;

CREATE VIEW stale_take AS                   -- clips and larger versions made from something that is not selected any more,
  SELECT t.id FROM take t                   -- however far upstream; what is edited in its own slot stands for itself
   WHERE t.stage IN ('video','upscale','image_upscale') AND (t.made_from_id IS NOT NULL OR t.ends_on_id IS NOT NULL)
     AND EXISTS (
       WITH RECURSIVE source (id) AS (
         VALUES (t.made_from_id), (t.ends_on_id)
         UNION SELECT n.made_from_id FROM source JOIN take n ON n.id = source.id AND n.stage IN ('video','upscale')
         UNION SELECT n.ends_on_id FROM source JOIN take n ON n.id = source.id AND n.stage = 'video')
       SELECT 1 FROM source JOIN take n ON n.id = source.id WHERE n.selected = 0
         AND NOT (n.scene_id = t.scene_id AND n.orientation = t.orientation AND n.stage = t.stage));

CREATE VIEW slot AS                         -- what each scene and character has, and what is still missing
  SELECT s.id AS scene_id, NULL AS character_id, o.value AS orientation, g.value AS stage,
         t.id AS take_id, t.number AS take_number, t.asset_id, a.path,
         (SELECT count(*) FROM take n WHERE n.scene_id = s.id AND n.orientation = o.value AND n.stage = g.value) AS takes,
         EXISTS (SELECT 1 FROM stale_take z WHERE z.id = t.id) AS stale,
         j.id AS job_id, j.state AS job_state
    FROM scene s JOIN json_each('["HORIZONTAL","VERTICAL"]') o JOIN json_each('["image","video","upscale","image_upscale"]') g
    LEFT JOIN take t ON t.scene_id = s.id AND t.orientation = o.value AND t.stage = g.value AND t.selected = 1
    LEFT JOIN asset a ON a.id = t.asset_id
    LEFT JOIN job j ON j.id = (SELECT max(id) FROM job l WHERE l.scene_id = s.id AND l.orientation = o.value
                                AND l.stage = g.value AND l.state IN ('queued','running','waiting','needs_attention'))
  UNION ALL
  SELECT NULL, c.id, coalesce(t.orientation, CASE c.entity_type WHEN 'location' THEN 'HORIZONTAL' ELSE 'VERTICAL' END),
         'reference', t.id, t.number, t.asset_id, a.path,
         (SELECT count(*) FROM take n WHERE n.character_id = c.id), 0, j.id, j.state
    FROM character c
    LEFT JOIN take t ON t.character_id = c.id AND t.selected = 1
    LEFT JOIN asset a ON a.id = t.asset_id
    LEFT JOIN job j ON j.id = (SELECT max(id) FROM job l WHERE l.character_id = c.id
                                AND l.state IN ('queued','running','waiting','needs_attention'));

CREATE VIEW slot_status AS                  -- a slot as the flat views show it
  SELECT slot.*, CASE WHEN take_id IS NOT NULL AND NOT stale THEN path END AS url,
         CASE WHEN take_id IS NOT NULL AND NOT stale THEN
           (SELECT r.remote_id FROM asset_remote r WHERE r.asset_id = slot.asset_id AND r.gone_at IS NULL
             ORDER BY r.created_at DESC LIMIT 1) END AS media_id,
         CASE WHEN job_state IN ('running','waiting') THEN 'PROCESSING'
              WHEN job_state = 'needs_attention' THEN 'FAILED'
              WHEN job_state = 'queued' THEN 'PENDING'
              WHEN take_id IS NOT NULL AND NOT stale THEN 'COMPLETED' ELSE 'PENDING' END AS status
    FROM slot WHERE scene_id IS NOT NULL;

CREATE VIEW scene_flat AS                   -- one row a scene, a column per orientation and stage; *_url are paths in the library
  SELECT s.id, s.video_id, s.display_order, s.prompt, s.image_prompt, s.video_prompt,
         (SELECT json_group_array(c.name) FROM scene_character l JOIN character c ON c.id = l.character_id
           WHERE l.scene_id = s.id) AS character_names,
         s.parent_scene_id, s.chain_type,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'image' THEN f.url END) AS vertical_image_url,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'video' THEN f.url END) AS vertical_video_url,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'upscale' THEN f.url END) AS vertical_upscale_url,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'image' THEN f.media_id END) AS vertical_image_media_id,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'video' THEN f.media_id END) AS vertical_video_media_id,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'upscale' THEN f.media_id END) AS vertical_upscale_media_id,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'image' THEN f.status END) AS vertical_image_status,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'video' THEN f.status END) AS vertical_video_status,
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'upscale' THEN f.status END) AS vertical_upscale_status,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'image' THEN f.url END) AS horizontal_image_url,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'video' THEN f.url END) AS horizontal_video_url,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'upscale' THEN f.url END) AS horizontal_upscale_url,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'image' THEN f.media_id END) AS horizontal_image_media_id,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'video' THEN f.media_id END) AS horizontal_video_media_id,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'upscale' THEN f.media_id END) AS horizontal_upscale_media_id,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'image' THEN f.status END) AS horizontal_image_status,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'video' THEN f.status END) AS horizontal_video_status,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'upscale' THEN f.status END) AS horizontal_upscale_status,
         s.trim_start, s.trim_end, s.created_at, s.updated_at
    FROM scene s JOIN slot_status f ON f.scene_id = s.id WHERE s.removed_at IS NULL GROUP BY s.id;

CREATE VIEW video_flat AS                   -- one row a video with its newest films and its publication
  SELECT v.id, v.project_id, v.title, v.description, v.display_order,
         CASE WHEN EXISTS (SELECT 1 FROM job j WHERE j.video_id = v.id AND j.state IN ('queued','running','waiting')) THEN 'PROCESSING'
              WHEN EXISTS (SELECT 1 FROM render r WHERE r.video_id = v.id) THEN 'COMPLETED'
              WHEN EXISTS (SELECT 1 FROM job j WHERE j.video_id = v.id AND j.state = 'needs_attention') THEN 'FAILED'
              ELSE 'DRAFT' END AS status,
         (SELECT a.path FROM render r JOIN asset a ON a.id = r.asset_id WHERE r.video_id = v.id AND r.orientation = 'VERTICAL'
           ORDER BY r.number DESC LIMIT 1) AS vertical_url,
         (SELECT a.path FROM render r JOIN asset a ON a.id = r.asset_id WHERE r.video_id = v.id AND r.orientation = 'HORIZONTAL'
           ORDER BY r.number DESC LIMIT 1) AS horizontal_url,
         (SELECT a.path FROM project p JOIN asset a ON a.id = p.thumbnail_asset_id WHERE p.id = v.project_id) AS thumbnail_url,
         (SELECT a.duration_ms / 1000.0 FROM render r JOIN asset a ON a.id = r.asset_id WHERE r.video_id = v.id
           ORDER BY r.created_at DESC LIMIT 1) AS duration,
         (SELECT a.width || 'x' || a.height FROM render r JOIN asset a ON a.id = r.asset_id WHERE r.video_id = v.id
           ORDER BY r.created_at DESC LIMIT 1) AS resolution,
         (SELECT p.remote_id FROM publication p JOIN render r ON r.id = p.render_id WHERE r.video_id = v.id AND p.platform = 'youtube'
           ORDER BY p.created_at DESC LIMIT 1) AS youtube_id,
         v.privacy, v.tags, v.created_at, v.updated_at
    FROM video v WHERE v.removed_at IS NULL;

CREATE VIEW request AS                      -- jobs as an earlier tool of this kind showed them
  SELECT j.id, j.project_id, j.video_id, j.scene_id, j.character_id, j.kind AS type, j.orientation,
         CASE j.state WHEN 'queued' THEN 'PENDING' WHEN 'running' THEN 'PROCESSING' WHEN 'waiting' THEN 'PROCESSING'
              WHEN 'succeeded' THEN 'COMPLETED' ELSE 'FAILED' END AS status,
         o.remote_id AS request_id,
         (SELECT r.remote_id FROM take t JOIN asset_remote r ON r.asset_id = t.asset_id WHERE t.id = j.take_id
           ORDER BY r.created_at DESC LIMIT 1) AS media_id,
         (SELECT a.path FROM take t JOIN asset a ON a.id = t.asset_id WHERE t.id = j.take_id) AS output_url,
         CASE WHEN j.state IN ('failed','needs_attention','cancelled') THEN j.message END AS error_message,
         j.attempts AS retry_count, j.created_at, coalesce(j.finished_at, j.started_at, j.created_at) AS updated_at
    FROM job j LEFT JOIN operation o ON o.id = (SELECT max(id) FROM operation p WHERE p.job_id = j.id)
   WHERE j.provider NOT IN ('local','youtube') AND j.kind <> 'HOUSEKEEPING';
