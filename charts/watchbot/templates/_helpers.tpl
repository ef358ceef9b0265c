{{- define "watchbot.name" -}}
{{- if contains "watchbot" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-watchbot" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.selector" -}}
app.kubernetes.io/name: watchbot
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "watchbot.labels" -}}
{{ include "watchbot.selector" . }}
app.kubernetes.io/component: {{ .Values.kind }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "watchbot.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "watchbot.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The port that a Service is for, or nothing. 5000 is the default of `watchbot schedule --port`. */}}
{{- define "watchbot.port" -}}
{{- if eq .Values.kind "schedule" -}}
{{- .Values.options.port | default 5000 -}}
{{- else if eq .Values.kind "record" -}}
{{- .Values.options.httpPort | default "" -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.preStop" -}}
{{- if ge (int .Values.preStopSeconds) 0 -}}
{{- int .Values.preStopSeconds -}}
{{- else -}}
{{- ternary 5 0 (ne (include "watchbot.port" .) "") -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.grace" -}}
{{- add (ceil .Values.options.drainTimeout) (include "watchbot.preStop" .) 10 -}}
{{- end -}}

{{/* A value as an environment variable has it: 1e+06 is 1000000, a list is a,b. */}}
{{- define "watchbot.text" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- define "watchbot.env" -}}
{{- range $name, $value := .Values.options }}
- name: WATCHBOT_{{ $name | snakecase | upper }}
  value: {{ include "watchbot.text" $value | quote }}
{{- end }}
{{- if eq .Values.kind "schedule" }}
- {name: WATCHBOT_HOST, value: 0.0.0.0}
{{- else if include "watchbot.port" . }}
- {name: WATCHBOT_HTTP_HOST, value: 0.0.0.0}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ include "watchbot.text" $value | quote }}
{{- end }}
{{- range $name, $place := .Values.secrets }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {{ toJson $place }}
{{- end }}
{{- end -}}
