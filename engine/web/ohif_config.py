"""OHIF's ``app-config.js`` for this server: where it is, what it can do, how it wants to be asked."""

from __future__ import annotations

import json
from typing import Any

# Read in OHIF 3.12's DicomWebDataSource: what a server can that is true here, and the ways to ask that are quickest here.
_SOURCE: dict[str, Any] = {
    "friendlyName": "voxcast",
    "name": "voxcast",
    "qidoSupportsIncludeField": True,
    "supportsFuzzyMatching": True,
    "supportsWildcard": True,
    "supportsReject": False,
    "imageRendering": "wadors",
    "thumbnailRendering": "thumbnail",
    "thumbnailRequestStrategy": "fetch",
    "enableStudyLazyLoad": True,
    "dicomUploadEnabled": True,
    # Not "pdf": OHIF would embed the address itself, which a cross-origin isolated page may not; as bulk data it is fetched.
    "singlepart": "bulkdata,video",
    "omitQuotationForMultipartRequest": True,
    "bulkDataURI": {"enabled": True},
}


def config_script(base: str) -> str:
    """The script; `base` is the path that OHIF is served under (``/ohif/``), beside which ``/dicom-web`` lies."""
    root = base.removesuffix("ohif/")
    config = {
        "name": "voxcast",
        "routerBasename": base,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        # Browsers open six connections to an HTTP/1.1 server: more waits in the browser, where nothing can overtake.
        "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 6},
        "defaultDataSourceName": "dicomweb",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "dicomweb",
                "configuration": _SOURCE,
            }
        ],
    }
    addresses = "".join(
        f"window.config.dataSources[0].configuration.{key} = window.location.origin + {json.dumps(root + path)};\n"
        for key, path in (("qidoRoot", "dicom-web"), ("wadoRoot", "dicom-web"), ("wadoUriRoot", "wado"))
    )
    return f"window.config = {json.dumps(config, indent=2)};\n{addresses}"
