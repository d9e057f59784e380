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
