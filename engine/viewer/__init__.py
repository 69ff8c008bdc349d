"""The first page: static files that `engine.web.page` serves; they speak DICOMweb (PS3.18) to the same origin and nothing else."""
