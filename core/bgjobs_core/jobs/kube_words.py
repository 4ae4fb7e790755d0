"""What the words of Kubernetes mean where it does not let a KubeJob or a pod be: the one code for each."""

from __future__ import annotations

import re
from typing import Final

from bgjobs.vocabulary import WhyNot

# By the words before the first colon, which Kubernetes keeps the same in all versions.
_BY_REASON: Final = {
    **dict.fromkeys(
        (
            "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
            "RegistryUnavailable", "SignatureValidationFailed",
        ),
        WhyNot.IMAGE_PULL,
    ),
    **dict.fromkeys(
        ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"),
        WhyNot.CONFIG_ERROR,
    ),
    **dict.fromkeys(("FailedMount", "FailedAttachVolume", "FailedMapVolume"), WhyNot.VOLUME),
    **dict.fromkeys(("Unschedulable", "SchedulingGated"), WhyNot.UNSCHEDULABLE),
    "FailedCreatePodSandBox": WhyNot.SANDBOX,
}  # fmt: skip
# By what stands anywhere in them; the first that fits. These come with a refusal to create something.
_BY_WORDS: Final = (
    (re.compile(r"exceeded quota|failed quota|insufficient quota|status unknown for quota"), WhyNot.QUOTA),
    (re.compile(r"service ?account .*not found", re.IGNORECASE), WhyNot.SERVICE_ACCOUNT_MISSING),
    (re.compile(r"no PriorityClass with name"), WhyNot.PRIORITY_CLASS_MISSING),
    (
        re.compile(r"admission webhook|ValidatingAdmissionPolicy|violates PodSecurity|usage per (Container|Pod) is"),
        WhyNot.ADMISSION,
    ),
)
# Why the pod of a launched job does not start.
POD_TROUBLES: Final = frozenset(
    {WhyNot.POD_CANNOT_START, WhyNot.UNSCHEDULABLE, *_BY_REASON.values(), *(code for _, code in _BY_WORDS)}
)
# Events of a pod whose container is only being created, that say why it stays so.
_STOPS_A_POD: Final = frozenset({WhyNot.VOLUME, WhyNot.SANDBOX})
_ACCOUNT: Final = re.compile(r'serviceaccount "([a-z0-9.-]{1,253})" not found', re.IGNORECASE)
_PRIORITY_CLASS: Final = re.compile(r"no PriorityClass with name ([a-z0-9.-]{1,253}) was found")


def cause(words: str, otherwise: WhyNot) -> WhyNot:
    """What these words of Kubernetes mean, such as `ImagePullBackOff: Back-off pulling image "shop:1"`.

    Args:
        words: as they are in a record.
        otherwise: for words that nobody here knows.
    """
    reason, _, message = words.partition(":")
    code = _BY_REASON.get(reason)
    if code is WhyNot.UNSCHEDULABLE and "persistentvolumeclaim" in message:
        return WhyNot.VOLUME
    if code is not None:
        return code
    return next((found for pattern, found in _BY_WORDS if pattern.search(words)), otherwise)


def stops_a_pod(words: str) -> bool:
    """Whether the words of an event say why a pod stays where its container is created."""
    return cause(words, WhyNot.POD_PENDING) in _STOPS_A_POD


def missing_account(words: str) -> str:
    """The name of the ServiceAccount that is missing; "" if the words do not name it."""
    return _named(_ACCOUNT, words)


def missing_priority_class(words: str) -> str:
    """The name of the PriorityClass that is missing; "" if the words do not name it."""
    return _named(_PRIORITY_CLASS, words)


def _named(pattern: re.Pattern[str], words: str) -> str:
    found = pattern.search(words)
    return found[1] if found else ""
