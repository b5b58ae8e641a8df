"""The API server's paths: discovery, the objects, the reviews. What goes in and out is HTTP."""

import asyncio
import json

import yaml
from aiohttp import web

import protobuf
from cluster import Answered, Refused
from shapes import RESOURCES

VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0", "gitCommit": "", "platform": "",
           "gitTreeState": "clean", "buildDate": "2024-12-11T17:59:15Z", "goVersion": "go1.23.3",
           "compiler": "gc"}
REVIEWS = ("subjectaccessreviews", "selfsubjectaccessreviews")
OBJECT_VERBS = ["create", "delete", "get", "list", "patch", "update"]
PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json")
# What `kubectl auth can-i` has to know of envbot's resources: CustomResourceDefinitions that nobody
# needs otherwise.
DEFINED = ("environments", "quotas", "reports", "audits", "provisioning")
PROTOBUF = "application/vnd.kubernetes.protobuf"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
# An empty document of the old openapi in protobuf: kubectl leaves validation to the server then.
OPENAPI = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def group_entry(name):
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def discovery(path, defined):
    groups = ["apps", "authorization.k8s.io", "batch", "policy", "rbac.authorization.k8s.io"]
    groups += ["envbot.dev"] * defined
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_entry(g) for g in groups]}
    parts = path.strip("/").split("/")
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **group_entry(parts[1])}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    short = {"namespaces": {"shortNames": ["ns"]}, "pods": {"shortNames": ["po"]},
             "serviceaccounts": {"shortNames": ["sa"]}, "configmaps": {"shortNames": ["cm"]},
             "deployments": {"shortNames": ["deploy"]}, "poddisruptionbudgets": {"shortNames": ["pdb"]}}
    found = [{"name": resource, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind,
              "verbs": ["create"] if resource in REVIEWS else OBJECT_VERBS, **short.get(resource, {})}
             for resource, (of, kind, namespaced, _) in RESOURCES.items() if of == version]
    if version == "envbot.dev/v1" and defined:
        found = [{"name": name, "singularName": "", "namespaced": True,
                  "kind": name.removesuffix("s").capitalize(), "verbs": OBJECT_VERBS}
                 for name in DEFINED]
    if not found:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
            "resources": found}


def place(path):
    """(resource, namespace, name, sub-resource) of an object's path, None when it is none."""
    parts = path.strip("/").split("/")
    core = parts[0] == "api"
    version, rest = "/".join(parts[1:2 if core else 3]), parts[2 if core else 3:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    below = rest[2] if len(rest) == 3 and (rest[0], rest[2]) == ("pods", "log") else ""
    if not 1 <= len(rest) - bool(below) <= 2 or rest[0] not in RESOURCES:
        return None
    if RESOURCES[rest[0]][0] != version or namespace and not RESOURCES[rest[0]][2]:
        return None
    return rest[0], namespace, rest[1] if len(rest) > 1 else "", below


class Api:
    def __init__(self, cluster, faults, defined=False):
        self.cluster, self.faults, self.defined = cluster, faults, defined
        self.calls = []
        self.away = False

    async def handle(self, request):
        if self.away:
            request.transport.abort()
            raise asyncio.CancelledError
        call = request["call"] = {"method": request.method, "path": request.path,
                                  "query": request.query_string,
                                  "agent": request.headers.get("User-Agent", "")}
        self.calls.append(call)
        try:
            lost = await self.faults.strike(request)
            code, body = await self.answer(request)
            if lost:
                request.transport.abort()
            if isinstance(body, str):
                return web.Response(text=body)
            return web.json_response(body, status=code)
        except Answered as wanted:
            return web.json_response(wanted.body, status=wanted.code)
        except Refused as refused:
            call["refused"] = refused.status
            headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
            return web.json_response(refused.status, status=refused.code, headers=headers)

    async def body(self, request, patch=False):
        kind = request.content_type if "Content-Type" in request.headers else "application/json"
        wanted = PATCHES if patch else ("application/json", "application/yaml", PROTOBUF)
        if kind not in wanted:
            raise Refused(415, "the body of the request was in an unknown format - accepted media "
                               f"types include: {', '.join(wanted)}")
        text = await request.read()
        try:
            read = {"application/yaml": yaml.safe_load, PROTOBUF: protobuf.decode}
            return read.get(kind, json.loads)(text)
        except (ValueError, LookupError, yaml.YAMLError) as error:
            raise Refused(400, f"error decoding the body: {error}") from error

    async def answer(self, request):
        certificate = request.transport.get_extra_info("peercert")
        caller = self.cluster.caller(request.headers.get("Authorization"), certificate)
        caller = self.cluster.impersonated(caller, request.headers.get("Impersonate-User"),
                                           request.headers.getall("Impersonate-Group", []))
        path = request.path.rstrip("/") or "/"
        found = place(path)
        if not found:
            return await self.other(request, caller, path)
        resource, namespace, name, below = found
        verb = VERBS.get(request.method)
        if verb == "get" and not name:
            verb = "list"
        request["call"].update(by=caller.name, verb=verb, resource=resource)
        self.cluster.demand(caller, {
            "verb": verb, "group": RESOURCES[resource][0].rpartition("/")[0],
            "resource": resource, "name": name, "subresource": below,
            "namespace": name if resource == "namespaces" else namespace})
        if resource in REVIEWS:
            if request.method != "POST":
                raise Refused(405, "the server does not allow this method on the requested resource")
            return 201, self.cluster.review(resource, await self.body(request), caller)
        if below:
            return 200, self.cluster.workloads.kubelet.log(self.cluster.find("pods", namespace, name))
        return await self.objects(request, verb, found)

    async def other(self, request, caller, path):
        self.cluster.demand(caller, {"verb": request.method.lower(), "path": path})
        if path == "/version":
            return 200, VERSION
        if path in ("/healthz", "/livez", "/readyz"):
            return 200, "ok"
        known = discovery(path, self.defined)
        if not known or request.method != "GET":
            raise Refused(404, "the server could not find the requested resource")
        return 200, known

    async def objects(self, request, verb, found):
        resource, namespace, name, _ = found
        dry_run = request.query.get("dryRun") == "All"
        if verb == "list":
            if request.query.get("watch") in ("1", "true"):
                raise Refused(405, "the stand-in has no watches")
            limit = int(request.query.get("limit") or 0)
            return 200, self.cluster.list(resource, namespace, limit, request.query.get("continue"),
                                          request.query.get("labelSelector"),
                                          request.query.get("fieldSelector"))
        if verb == "create" and not name:
            return 201, self.cluster.create(resource, namespace, await self.body(request), dry_run)
        if not name or verb == "create":
            raise Refused(405, "the server does not allow this method on the requested resource")
        if verb == "get":
            return 200, self.cluster.find(resource, namespace, name)
        if verb == "delete":
            return 200, self.cluster.delete(resource, namespace, name, await self.options(request))
        if verb == "patch":
            body = await self.body(request, patch=True)
            return 200, self.cluster.patch(resource, namespace, name, body, dry_run)
        body = await self.body(request)
        return 200, self.cluster.replace(resource, namespace, name, body, dry_run)

    async def options(self, request):
        """DeleteOptions, from the body or the address."""
        options = (await self.body(request)) if request.can_read_body else {}
        known = {"kind", "apiVersion", "propagationPolicy", "gracePeriodSeconds", "preconditions",
                 "dryRun", "orphanDependents"}
        if not isinstance(options, dict) or set(options) - known:
            raise Refused(400, "the body is no DeleteOptions")
        for name, kind in (("propagationPolicy", str), ("gracePeriodSeconds", int)):
            if name in request.query:
                options[name] = kind(request.query[name])
        if options.get("propagationPolicy") not in (None, "Foreground", "Background", "Orphan"):
            raise Refused(422, "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported "
                               f'value: "{options["propagationPolicy"]}": supported values: '
                               '"Foreground", "Background", "Orphan", "nil"')
        return options

    async def openapi(self, request):
        """kubectl of 1.20 asks for it in protobuf, where an empty document is no bytes at all."""
        certificate = request.transport.get_extra_info("peercert")
        try:
            caller = self.cluster.caller(request.headers.get("Authorization"), certificate)
            self.cluster.demand(caller, {"verb": "get", "path": request.path})
        except Refused as refused:
            return web.json_response(refused.status, status=refused.code)
        if "protobuf" in request.headers.get("Accept", ""):
            return web.Response(body=b"", headers={"Content-Type": OPENAPI})
        return web.json_response({"swagger": "2.0", "info": {"title": "stand-in", "version": "v1"},
                                  "paths": {}})
