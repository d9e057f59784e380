{{- define "incipit.name" -}}
{{- if contains "incipit" .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-incipit" .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "incipit.selector" -}}
app.kubernetes.io/name: incipit
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "incipit.labels" -}}
{{ include "incipit.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Name of the Secret with the tenants' files; empty if nobody is authenticated. More or less than one is an error. */}}
{{- define "incipit.tenants" -}}
{{- $ways := 0 -}}
{{- if .Values.tenants.existingSecret }}{{ $ways = add1 $ways }}{{ end -}}
{{- if .Values.tenants.files }}{{ $ways = add1 $ways }}{{ end -}}
{{- if .Values.tenants.insecure }}{{ $ways = add1 $ways }}{{ end -}}
{{- if ne (int $ways) 1 -}}
{{- fail "set one of tenants.existingSecret, tenants.files and tenants.insecure" -}}
{{- end -}}
{{- if and .Values.tenants.files (not (hasKey .Values.tenants.files "tenants.toml")) -}}
{{- fail "tenants.files has no tenants.toml" -}}
{{- end -}}
{{- if .Values.tenants.existingSecret -}}
{{- .Values.tenants.existingSecret -}}
{{- else if .Values.tenants.files -}}
{{- include "incipit.name" . }}-tenants
{{- end -}}
{{- end -}}

{{/* What runs before SIGTERM, as JSON: a pause in which endpoints vanish, or a drain. */}}
{{- define "incipit.preStop" -}}
{{- $drain := .Values.shutdown.drain -}}
{{- if not $drain.enabled -}}
{{- list "sleep" (.Values.shutdown.preStopSeconds | int | toString) | toJson -}}
{{- else -}}
{{- if not .Values.cluster.membership -}}
{{- fail "shutdown.drain.enabled: there is nobody to give blocks to; set cluster.membership" -}}
{{- end -}}
{{- $command := list "incipit" "drain" "--connect" "tcp://127.0.0.1:9400" "--timeout" ($drain.timeoutSeconds | int | toString) -}}
{{- if not .Values.tenants.insecure -}}
{{- if not (and $drain.tenant $drain.secretFile) -}}
{{- fail "shutdown.drain.enabled: set shutdown.drain.tenant, one with the role admin, and shutdown.drain.secretFile" -}}
{{- end -}}
{{- $command = concat $command (list "--tenant" $drain.tenant "--secret-file" (printf "/etc/incipit/tenants/%s" $drain.secretFile)) -}}
{{- end -}}
{{- toJson $command -}}
{{- end -}}
{{- end -}}

{{/* Seconds that may pass until a pod has ended. A drain first waits for the map, 10 s at most, and ends a little later. */}}
{{- define "incipit.graceSeconds" -}}
{{- $before := int .Values.shutdown.preStopSeconds -}}
{{- if .Values.shutdown.drain.enabled -}}
{{- $before = add (int .Values.shutdown.drain.timeoutSeconds) 20 -}}
{{- end -}}
{{- add $before (int .Values.shutdown.stopTimeoutSeconds) 10 -}}
{{- end -}}

{{/* The configuration file. JSON's strings, numbers and booleans are TOML's too. */}}
{{- define "incipit.config" -}}
[serve]
{{- range $flag, $value := .Values.config }}
{{- if not (and (eq $.Values.nvme.kind "none") (hasPrefix "nvme" $flag)) }}
{{ $flag }} = {{ toJson $value }}
{{- end }}
{{- end }}
listen = "0.0.0.0:9400"
http = "0.0.0.0:9401"
{{- with .Values.cluster.membership }}
membership = {{ toJson . }}
{{- end }}
stop-timeout-ms = {{ mul 1000 (int .Values.shutdown.stopTimeoutSeconds) }}
{{- if .Values.tenants.insecure }}
insecure = true
{{- else }}
tenants = "/etc/incipit/tenants/tenants.toml"
{{- end }}
{{- if eq .Values.nvme.kind "none" }}
state-dir = "/var/lib/incipit"
{{- else }}
nvme = "/var/lib/incipit"
{{- end }}
{{- end -}}
