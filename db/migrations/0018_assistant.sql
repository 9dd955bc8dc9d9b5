-- The assistant: questions that have an answer, as staff keep them, and what was asked, for a month.
--
-- Nothing here belongs to a company: only the system role looks here.

-- What a question is found by: its words as they are written and without their accents, because the French stemmer knows
-- « déménagèrent » and people type « demenagerent ». A is how the question is put, B what else it is called, D the answer.
CREATE FUNCTION faq_words(question text, variants text[], answer text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN setweight(to_tsvector('french', question), 'A') || setweight(to_tsvector('french', search_form(question)), 'A')
    || setweight(to_tsvector('french', array_to_string(variants, ' . ')), 'B')
    || setweight(to_tsvector('french', search_form(array_to_string(variants, ' . '))), 'B')
    || setweight(to_tsvector('french', answer), 'D') || setweight(to_tsvector('french', search_form(answer)), 'D');

-- The ways to ask as they are compared with a question as a whole.
CREATE FUNCTION faq_ways(question text, variants text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN ARRAY(SELECT search_form(way) FROM unnest(question || variants) AS way);

CREATE TABLE faq_entry (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    question text NOT NULL,
    variants text[] NOT NULL DEFAULT '{}',      -- other ways to ask the same
    answer text NOT NULL,                       -- paragraphs, an empty line between them
    page text NOT NULL DEFAULT '' CHECK (page = '' OR page ~ '^/[a-z]'),  -- of ours, where it is done
    page_label text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',            -- of « Nous contacter », for whom the answer does not help
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'published')),
    version integer NOT NULL DEFAULT 1,
    updated_by uuid REFERENCES portal_user ON DELETE SET NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    edited boolean NOT NULL DEFAULT false,      -- by staff: what comes with a release leaves it as it is
    ways text[] NOT NULL GENERATED ALWAYS AS (faq_ways(question, variants)) STORED,
    search tsvector NOT NULL GENERATED ALWAYS AS (faq_words(question, variants, answer)) STORED,
    CHECK ((page = '') = (page_label = ''))
);
CREATE INDEX ON faq_entry (updated_by);

CREATE TABLE assistant_question (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id uuid REFERENCES portal_user ON DELETE CASCADE,
    text_sealed bytea,                          -- masked; null: it named somebody whom the caller employs
    kind text NOT NULL CHECK (kind IN ('entry', 'cases', 'document', 'none')),
    entry_id uuid REFERENCES faq_entry ON DELETE SET NULL,  -- that answered
    helpful boolean,
    asked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON assistant_question (asked_at);
CREATE INDEX ON assistant_question (user_id);
CREATE INDEX ON assistant_question (entry_id);

ALTER TABLE faq_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE faq_entry FORCE ROW LEVEL SECURITY;
ALTER TABLE assistant_question ENABLE ROW LEVEL SECURITY;
ALTER TABLE assistant_question FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON faq_entry TO hcr_system USING (true) WITH CHECK (true);
CREATE POLICY system ON assistant_question TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON faq_entry, assistant_question TO hcr_system;
