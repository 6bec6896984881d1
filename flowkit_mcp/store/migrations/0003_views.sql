-- 0001 had been changed after libraries were made with it; they get its views as they are meant to be. And 0002's
-- index goes, which no query used.

DROP VIEW IF EXISTS ledger;
DROP VIEW IF EXISTS stale_take;
DROP VIEW IF EXISTS scene_flat;
DROP VIEW IF EXISTS character_flat;
DROP INDEX IF EXISTS operation_settled;

CREATE VIEW ledger AS                       -- one row a call that may cost: what it took, what came back, what nobody knows
  SELECT o.id, o.intended_at, j.project_id, j.video_id, j.scene_id, s.display_order AS scene, j.character_id,
         j.orientation, j.stage, o.job_id, j.kind, o.provider, o.account, o.state, o.credits_estimate AS price,
         CASE WHEN (o.state IN ('intended','submitted','done','unknown','abandoned')
                    AND coalesce(json_extract(o.reply, '$.charged'), '') <> 'no')   -- it was there already
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

CREATE VIEW stale_take AS                   -- clips, larger versions and last frames of clips made from something that is not
  SELECT t.id FROM take t                   -- selected any more, however far upstream; what is edited in its own slot stands for itself
   WHERE (t.stage IN ('video','upscale','image_upscale') OR (SELECT m.stage FROM take m WHERE m.id = t.made_from_id) = 'video')
     AND (t.made_from_id IS NOT NULL OR t.ends_on_id IS NOT NULL)
     AND EXISTS (
       WITH RECURSIVE source (id) AS (
         VALUES (t.made_from_id), (t.ends_on_id)
         UNION SELECT m.id FROM source JOIN take n ON n.id = source.id JOIN take m ON m.id = n.made_from_id
                WHERE n.stage IN ('video','upscale') OR m.stage = 'video'
         UNION SELECT n.ends_on_id FROM source JOIN take n ON n.id = source.id AND n.stage = 'video')
       SELECT 1 FROM source JOIN take n ON n.id = source.id WHERE n.selected = 0
         AND NOT (n.scene_id = t.scene_id AND n.orientation = t.orientation AND n.stage = t.stage));

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
         max(CASE WHEN f.orientation = 'VERTICAL' AND f.stage = 'video' THEN e.media_id END) AS vertical_end_scene_media_id,
         max(CASE WHEN f.orientation = 'HORIZONTAL' AND f.stage = 'video' THEN e.media_id END) AS horizontal_end_scene_media_id,
         s.trim_start, s.trim_end, max(CASE WHEN f.stage = 'video' AND f.url IS NOT NULL THEN a.duration_ms END) / 1000.0 AS duration,
         s.created_at, s.updated_at
    FROM scene s JOIN slot_status f ON f.scene_id = s.id
    LEFT JOIN asset a ON a.id = f.asset_id
    LEFT JOIN take c ON c.id = f.take_id AND f.url IS NOT NULL
    LEFT JOIN slot_status e ON e.take_id = c.ends_on_id
   WHERE s.removed_at IS NULL GROUP BY s.id;

CREATE VIEW character_flat AS               -- one row a character with the reference image in use
  SELECT c.id, c.name, c.entity_type, c.description, c.image_prompt, c.voice_description, a.path AS reference_image_url,
         (SELECT r.remote_id FROM asset_remote r WHERE r.asset_id = a.id AND r.gone_at IS NULL
           ORDER BY r.created_at DESC LIMIT 1) AS media_id, c.created_at, c.updated_at
    FROM character c LEFT JOIN take t ON t.character_id = c.id AND t.selected = 1 LEFT JOIN asset a ON a.id = t.asset_id;
