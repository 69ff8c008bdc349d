"""Which attributes the index keeps, and at which level (PS3.4 C.6, PS3.18 10.6.3): the only place that says so."""

from __future__ import annotations

from engine.dicom.dictionary import tag_of

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "OtherPatientIDs",
    "PatientSpeciesDescription", "PatientBreedDescription", "PatientSexNeutered", "ResponsiblePerson",
    "ResponsiblePersonRole", "ResponsibleOrganization", "PatientComments",
)  # fmt: skip
STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription",
    "ReferringPhysicianName", "NameOfPhysiciansReadingStudy", "PatientAge", "PatientSize", "PatientWeight",
    "TimezoneOffsetFromUTC", "AdmissionID", "InstitutionName",
)  # fmt: skip
SERIES = (
    "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime", "BodyPartExamined",
    "Laterality", "ProtocolName", "PerformingPhysicianName", "OperatorsName", "Manufacturer", "ManufacturerModelName",
    "StationName", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence",
    "FrameOfReferenceUID", "PatientPosition",
)  # fmt: skip
INSTANCE = (
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "ContentDate", "ContentTime", "AcquisitionDate", "AcquisitionTime",
    "AcquisitionNumber", "ImageType", "Rows", "Columns", "BitsAllocated", "NumberOfFrames", "ImageComments",
    "ConceptNameCodeSequence", "VerificationFlag", "CompletionFlag", "DocumentTitle", "ContentLabel", "ContentDescription",
    "SliceLocation", "LossyImageCompression",
)  # fmt: skip

LEVELS = (PATIENT, STUDY, SERIES, INSTANCE)
# (tag, level) in tag order, as the native scanner wants it.
INDEX_TAGS: tuple[tuple[int, int], ...] = tuple(
    sorted((tag_of(keyword), level) for level, keywords in enumerate(LEVELS) for keyword in keywords)
)
