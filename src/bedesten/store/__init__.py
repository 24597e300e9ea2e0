"""Where things are kept: one text of every statement, two engines, one writer at a time where the engine wants it.

Nouns: a *statement* is SQL built once and compiled once a dialect; an *action* is a plain function over one
*transaction*, which is bound to one tenant; the *store* runs actions. Raising inside an action undoes all that it did;
returning commits, also when what is returned is a refusal. Answers leave only after COMMIT.

The *revision* is a counter that advances with every right that is given or taken, see `revision_log`.

What does not belong here: what the rows mean. That is the rooms' business.
"""
