-- The ledger added up, per scene and per video; and an index for what the forecast reads.

CREATE VIEW scene_spending AS               -- one row a scene, or a character's reference images; `retakes` is part of `credits`
  SELECT project_id, video_id, scene_id, scene, character_id,
         sum(credits) AS credits, sum(credits * retake) AS retakes, sum(refunded) AS refunded, sum(unknown) AS unknown,
         count(*) FILTER (WHERE state NOT IN ('refused','void')) AS calls
    FROM ledger GROUP BY project_id, video_id, scene_id, character_id;

CREATE VIEW video_spending AS               -- one row a video; `per_second`: credits for each second of its newest films
  SELECT v.project_id, v.id AS video_id, v.title, coalesce(m.credits, 0) AS credits, coalesce(m.retakes, 0) AS retakes,
         coalesce(m.refunded, 0) AS refunded, coalesce(m.unknown, 0) AS unknown, coalesce(m.calls, 0) AS calls, f.film_s,
         CASE WHEN f.film_s > 0 THEN round(coalesce(m.credits, 0) / f.film_s, 2) END AS per_second
    FROM video v
    LEFT JOIN (SELECT video_id, sum(credits) AS credits, sum(retakes) AS retakes, sum(refunded) AS refunded,
                      sum(unknown) AS unknown, sum(calls) AS calls
                 FROM scene_spending GROUP BY video_id) m ON m.video_id = v.id
    LEFT JOIN (SELECT r.video_id, coalesce(sum(a.duration_ms), 0) / 1000.0 AS film_s
                 FROM render r JOIN asset a ON a.id = r.asset_id
                WHERE r.number = (SELECT max(n.number) FROM render n
                                   WHERE n.video_id = r.video_id AND n.orientation = r.orientation)
                GROUP BY r.video_id) f ON f.video_id = v.id;

CREATE INDEX operation_settled ON operation (provider, settled_at) WHERE state = 'done';
