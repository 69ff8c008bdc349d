"""How someone wanted images to be shown: a softcopy presentation state, and what it says of one frame (PS3.3 A.33, PS3.4 N)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from engine.dicom.annotation import GraphicLayer, LayerContent
from engine.dicom.frame import Rescale, Window
from engine.dicom.shutter import Shutter

if TYPE_CHECKING:  # it needs pydicom, which is slow to import
    from engine.dicom.lut import Lut, Palette

ModalityTransform: TypeAlias = "Rescale | Lut"
VoiTransform: TypeAlias = "Window | Lut"


class StateKind(StrEnum):
    """The kinds of presentation state that can be applied."""

    GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
    COLOR = "1.2.840.10008.5.1.4.1.1.11.2"
    PSEUDO_COLOR = "1.2.840.10008.5.1.4.1.1.11.3"
    BLENDING = "1.2.840.10008.5.1.4.1.1.11.4"


# Kept and passed on, not applied.
NOT_APPLIED = {
    "1.2.840.10008.5.1.4.1.1.11.5": "an XA/XRF Grayscale Softcopy Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.6": "a Grayscale Planar MPR Volumetric Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.7": "a Compositing Planar MPR Volumetric Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.8": "an Advanced Blending Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.9": "a Volume Rendering Volumetric Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.10": "a Segmented Volume Rendering Volumetric Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.11": "a Multiple Volume Rendering Volumetric Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.12": "a Variable Modality LUT Softcopy Presentation State",
}


def is_presentation_state(sop_class_uid: str) -> bool:
    """Whether it is of any kind, one that cannot be applied too."""
    return sop_class_uid in list(StateKind) or sop_class_uid in NOT_APPLIED


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image, or some of its frames (numbered from 1), that a state or a part of it is for; no numbers: all frames."""

    sop_instance_uid: str
    frame_numbers: tuple[int, ...] = ()
    series_instance_uid: str = ""
    sop_class_uid: str = ""

    def covers(self, sop_instance_uid: str, frame_number: int) -> bool:
        return self.sop_instance_uid == sop_instance_uid and (
            not self.frame_numbers or frame_number in self.frame_numbers
        )


References: TypeAlias = tuple[ImageReference, ...]


def applies(references: References, sop_instance_uid: str, frame_number: int) -> bool:
    """Whether a part of a state is for this frame; one without references is for all (PS3.3 table C.10-5 and others)."""
    return not references or any(r.covers(sop_instance_uid, frame_number) for r in references)


@dataclass(frozen=True, slots=True)
class Spatial:
    """Turned clockwise by `rotation` degrees (0, 90, 180, 270), then, when `is_flipped`, left is right (PS3.3 C.10.6)."""

    rotation: int = 0
    is_flipped: bool = False


class SizeMode(StrEnum):
    """Presentation Size Mode (0070,0100)."""

    SCALE_TO_FIT = "SCALE TO FIT"
    TRUE_SIZE = "TRUE SIZE"
    MAGNIFY = "MAGNIFY"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedArea:
    """The part of the image that is shown, and how large (PS3.3 C.10.4).

    Attributes
    ----------
    top_left, bottom_right : (column, row) of the pixels, counted from 1, that are in these corners once the image is
        turned and flipped; both may be outside of it.
    pixel_spacing : (row, column) in mm, or pixel_aspect_ratio : (vertical, horizontal); of the image as it is stored.
    """

    top_left: tuple[int, int]
    bottom_right: tuple[int, int]
    mode: SizeMode = SizeMode.SCALE_TO_FIT
    pixel_spacing: tuple[float, float] | None = None
    pixel_aspect_ratio: tuple[float, float] | None = None
    magnification: float | None = None


class MaskOperation(StrEnum):
    """Mask Operation (0028,6101) of a presentation state (PS3.3 C.11.13)."""

    AVG_SUB = "AVG_SUB"
    TID = "TID"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSubtraction:
    """Subtraction of a mask from the contrast frames (PS3.3 C.7.6.10).

    Attributes
    ----------
    frame_numbers : of the frames whose average is the mask (AVG_SUB).
    contrast_averaging : how many frames, from the shown one on, are averaged first.
    shift : (down, right) that the mask is moved by, in pixels.
    tid_offset : the mask is the frame so many before the shown one (TID).
    """

    operation: MaskOperation
    frame_numbers: tuple[int, ...] = ()
    contrast_averaging: int = 1
    shift: tuple[float, float] = (0.0, 0.0)
    tid_offset: int = 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Voi:
    """An item of the Softcopy VOI LUT Sequence (PS3.3 C.11.8)."""

    transform: VoiTransform
    references: References = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BlendingSet:
    """One of the two sets of images of a blending state (PS3.3 C.11.14)."""

    is_superimposed: bool
    references: References
    modality: ModalityTransform
    vois: tuple[Voi, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Annotations:
    """What is drawn over some of the images."""

    references: References
    content: LayerContent


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PresentationState:
    """A whole presentation state; `for_frame` says what it means for one frame.

    Attributes
    ----------
    references : every image of the state, in its order; a blending state's underlying ones come first.
    areas : with the frames that each is for.
    not_drawn : what the state has that is left out of a rendering, in words.
    """

    sop_instance_uid: str
    kind: StateKind
    references: References
    modality: ModalityTransform = field(default_factory=Rescale)
    vois: tuple[Voi, ...] = ()
    presentation_lut: Lut | None = None
    is_inverse: bool = False
    palette: Palette | None = None
    icc_profile: bytes = b""
    spatial: Spatial = field(default_factory=Spatial)
    areas: tuple[tuple[References, DisplayedArea], ...] = ()
    shutter: Shutter | None = None
    mask: MaskSubtraction | None = None
    layers: tuple[GraphicLayer, ...] = ()
    annotations: tuple[Annotations, ...] = ()
    blending: tuple[BlendingSet, ...] = ()
    relative_opacity: float = 0.5
    not_drawn: tuple[str, ...] = ()

    @property
    def shown(self) -> References:
        """The images that a rendering of the state has, in its order: of a blending state the underlying ones."""
        if not self.blending:
            return self.references
        return next((one.references for one in self.blending if not one.is_superimposed), ())

    @property
    def superimposed(self) -> References:
        """Those that a blending state lays over the others."""
        return next((one.references for one in self.blending if one.is_superimposed), ())

    def is_for(self, sop_instance_uid: str, frame_number: int) -> bool:
        """Whether the state names this frame."""
        return any(r.covers(sop_instance_uid, frame_number) for r in self.references)

    def for_frame(self, sop_instance_uid: str, frame_number: int) -> FramePresentation | None:
        """What the state says of one frame (numbered from 1); None for one that it does not name."""
        if not self.is_for(sop_instance_uid, frame_number):
            return None
        modality, vois, is_superimposed = self.modality, self.vois, False
        for one in self.blending:
            if applies(one.references, sop_instance_uid, frame_number):
                modality, vois, is_superimposed = one.modality, one.vois, one.is_superimposed
                break
        return FramePresentation(
            kind=self.kind,
            sop_instance_uid=sop_instance_uid,
            frame_number=frame_number,
            modality=modality,
            voi=next((v.transform for v in vois if applies(v.references, sop_instance_uid, frame_number)), None),
            presentation_lut=self.presentation_lut,
            is_inverse=self.is_inverse,
            palette=self.palette,
            icc_profile=self.icc_profile,
            spatial=self.spatial,
            area=next((area for refs, area in self.areas if applies(refs, sop_instance_uid, frame_number)), None),
            shutter=self.shutter,
            mask=self.mask,
            layers=self._layers(sop_instance_uid, frame_number),
            is_superimposed=is_superimposed,
            relative_opacity=self.relative_opacity,
        )

    def _layers(self, sop_instance_uid: str, frame_number: int) -> tuple[LayerContent, ...]:
        shown = [one.content for one in self.annotations if applies(one.references, sop_instance_uid, frame_number)]
        return tuple(sorted(shown, key=lambda content: content.layer.order))  # stable: the state's order inside a layer


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FramePresentation:
    """What a presentation state says of one frame, in the order in which it is carried out (PS3.4 N.2).

    Attributes
    ----------
    voi : None: the whole range that modality values can have.
    area : None: all of the image.
    layers : lowest first.
    is_superimposed : one of a blending state's two sets.
    """

    kind: StateKind
    sop_instance_uid: str
    frame_number: int
    modality: ModalityTransform = field(default_factory=Rescale)
    mask: MaskSubtraction | None = None
    voi: VoiTransform | None = None
    presentation_lut: Lut | None = None
    is_inverse: bool = False
    palette: Palette | None = None
    icc_profile: bytes = b""
    shutter: Shutter | None = None
    spatial: Spatial = field(default_factory=Spatial)
    area: DisplayedArea | None = None
    layers: tuple[LayerContent, ...] = ()
    is_superimposed: bool = False
    relative_opacity: float = 0.5

    def mask_frames(self, number_of_frames: int) -> tuple[int, ...]:
        """Numbers of the other frames whose stored values the subtraction needs; empty where there is none.

        A mask's own frames and those outside of the image take no part.
        """
        if self.mask is None:
            return ()
        wanted: set[int] = set()
        if self.mask.operation is MaskOperation.AVG_SUB:
            wanted.update(self.mask.frame_numbers)
            wanted.update(range(self.frame_number, self.frame_number + self.mask.contrast_averaging))
        else:
            wanted.add(self.frame_number - self.mask.tid_offset)
        return tuple(sorted(n for n in wanted if n != self.frame_number and 1 <= n <= number_of_frames))
