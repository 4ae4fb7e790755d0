"""Installations that have each feature of the chart between them: what Kubernetes itself is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bgjobs_core.resources.models import PodSettings
from bgjobs_operator.cluster.kubejob import manifest
from tests.unit.chart.objects import OIDC, TRIAL, at, merged
from tests.unit.operator.builders import NAMESPACE, a_queue_record, a_record

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST: Final = f"sha256:{'a' * 64}"
_SPREAD: Final = [
    {
        "maxSkew": 2,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "bgjobs"}},
    }
]
# What every component takes.
_PLACED: Final[dict[str, Any]] = {
    "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "podAnnotations": {"example.com/note": "1"},
    "podLabels": {"example.com/team": "jobs"},
    "extraEnv": [{"name": "TZ", "value": "Europe/Berlin"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}]
            }
        }
    },
}
_IMAGE: Final = {"repository": "registry.example/one", "tag": "1", "digest": _DIGEST, "pullPolicy": "Always"}
# Of the pods of jobs; plain Kubernetes fields.
POD: Final[dict[str, Any]] = {
    "labels": {"example.com/team": "shop"},
    "annotations": {"example.com/note": "1"},
    "serviceAccountName": "shop",
    "imagePullPolicy": "IfNotPresent",
    "imagePullSecrets": [{"name": "registry"}],
    "env": [
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "database", "optional": True}}}
    ],
    "envFrom": [{"configMapRef": {"name": "shop", "optional": True}}],
    "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}],
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"example.com/team": "shop"}},
                    },
                }
            ]
        }
    },
    "securityContext": {"runAsUser": 1000},
}
_QUEUE: Final[dict[str, Any]] = {
    "maxConcurrent": 2,
    "approvedClasses": ["shop.jobs.*"],
    "image": "registry.example/shop:1",
    "defaultTimeoutSeconds": 90.5,
    "pod": POD,
}

EVERYTHING: Final = merged(
    OIDC,
    {
        "image": _IMAGE,
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "system-cluster-critical",
        "revisionHistoryLimit": 1,
        "fullnameOverride": "jobs",
        "logLevel": "debug",
        "queues": {"default": _QUEUE, "slow": {"maxConcurrent": 1}},
        "priorityClasses": {"low": 5, "high": 7},
        "operator": {
            **_PLACED,
            "replicas": 2,
            "kubeJobsSeconds": 60,
            "launchInFlight": 64,
            "topologySpreadConstraints": _SPREAD,
        },
        "api": {**_PLACED, "replicas": 3, "topologySpreadConstraints": _SPREAD},
        "redis": {
            **_PLACED,
            "image": _IMAGE,
            "maxmemory": "1gb",
            "storage": {"size": "8Gi", "storageClass": "fast"},
        },
        "networkPolicy": {
            "redisFrom": [{"podSelector": {"matchLabels": {"app": "backup"}}}],
            "egress": {"enabled": True, "dnsPorts": [53, 5353], "apiServerPorts": [6443], "oidcPorts": [8443]},
            "jobs": {"enabled": True, "egress": [{"ports": [{"port": 5432, "protocol": "TCP"}]}]},
        },
        "dashboard": {
            "host": "jobs.example.com:8443",
            "oidc": {
                "usernameClaim": "sub",
                "usernamePrefix": "corp/",
                "groupsClaim": "roles",
                "groupsPrefix": "corp/",
                "scopes": ["openid", "groups"],
                "logoutUrl": "https://id.example.com/end",
                "caConfigMap": "id-ca",
            },
            "sessions": {"refresh": "30s", "expire": "1h"},
            "proxy": {
                **_PLACED,
                "replicas": 3,
                "image": _IMAGE,
                "extraArgs": ["--allowed-group=a"],
                "topologySpreadConstraints": _SPREAD,
            },
            "service": {"type": "NodePort", "nodePort": 30090, "annotations": {"team": "jobs"}},
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "annotations": {"nginx.ingress.kubernetes.io/proxy-buffering": "off"},
                "tls": [{"secretName": "jobs-tls", "hosts": ["jobs.example.com"]}],
                "trustedProxies": ["10.244.0.0/16"],
            },
        },
    },
)
_THEIRS: Final[dict[str, Any]] = {
    "url": "rediss://redis.example:6380/0",
    "username": "app",
    "passwordSecret": {"name": "redis", "key": "pw"},
    "ca": {"secret": "redis-ca", "key": "root.pem"},
    "clientCertificate": {"secret": "redis-client", "certificateKey": "c.pem", "keyKey": "k.pem"},
}

COMBINATIONS: Final[dict[str, dict[str, Any]]] = {
    "as it comes": {},
    "a trial": merged(TRIAL, at("dashboard.trialRole", "submitter")),
    "sign-in": OIDC,
    "sign-in without TLS, kept in cookies": merged(
        OIDC,
        at("dashboard.scheme", "http"),
        at("dashboard.oidc", {"issuerUrl": "http://10.0.0.1/oidc", "allowHttp": True}),
        at("dashboard.sessions.store", "cookie"),
    ),
    "everything": EVERYTHING,
    "Secrets of one's own": merged(
        OIDC,
        at("redis.existingSecret", "mine"),
        at("dashboard.oidc", {"clientSecret": "", "existingSecret": "mine"}),
        at("dashboard.sessions.existingSecret", "mine"),
    ),
    "another Redis": merged(
        OIDC,
        {"redis": {"enabled": False, "external": _THEIRS}},
        at(
            "dashboard.sessions",
            {"url": "rediss://redis.example", "username": "s", "passwordSecret": {"name": "redis", "key": "s"}},
        ),
        at("networkPolicy.egress", {"enabled": True, "redisPorts": [6380]}),
    ),
    "another Redis, by its address": {
        "redis": {"enabled": False, "external": {"existingSecret": "theirs", "ca": {"configMap": "redis-ca"}}}
    },
    "as little as may be": {
        "rbac": {"create": False, "command": False, "queuePolicy": False},
        "jobs": {"allowedPodFeatures": ["hostPath"]},
        "kueue": {"enabled": True},
        "priorityClasses": {"create": False},
        "networkPolicy": {"enabled": False},
        "crds": {"upgrade": False},
        "queues": {"default": None},
        "operator": {"replicas": 0},
        "api": {"replicas": 1},
    },
    "several namespaces": {"jobNamespaces": ["shop", "billing"]},
}


def kube_jobs(namespace: str = NAMESPACE) -> Iterator[dict[str, Any]]:
    """What the operator makes of jobs: plain, of a request, of high priority; with all that a queue can give a pod."""
    launching = a_record().launching().but(namespace=namespace)
    for record in (launching, launching.of_request("nightly", "uid-1"), launching.but(priority=1, timeout_seconds=0.5)):
        for pod in ({}, POD):
            queue = a_queue_record(pod=PodSettings.model_validate(pod))
            yield manifest(record.build(), queue, "uid-of-a-namespace", "http://bgjobs-api.bgjobs")
