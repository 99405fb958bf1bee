"""The release of the platform, and which formats of documents it reads."""

#: Equal to the project's version; documents name it, so that an older release can say which one reads them.
RELEASE = "1.2.0"
#: Format of the documents that this release writes; it reads every one since 1.
#: 2: shapes and witnesses of tables, the lake's name, digests of predecessors, the calendar's days.
#: 3: the release, what of a source table is modelled, formats of load notes and of the figures of commits.
FORMAT = 3
