{{- /* What every pod of the release has. Takes the name of its service account, whether it calls Kubernetes, and the root. */}}
{{- define "pipelines.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .callsKubernetes }}
enableServiceLinks: false
nodeSelector: {{ toJson .root.Values.nodeLabels }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  # The images' files belong to the group root.
  runAsGroup: 0
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "pipelines.container" -}}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- /* Takes thousandths of a CPU that are kept, and the most memory and scratch space. No limit of CPU: it slows down what has nothing to yield to. */}}
{{- define "pipelines.resources" -}}
resources:
  requests:
    cpu: {{ .cpu }}
    memory: {{ .memory }}
    ephemeral-storage: 64Mi
  limits:
    memory: {{ .most | default .memory }}
    ephemeral-storage: 256Mi
{{- end }}

{{- define "pipelines.scratch" -}}
- name: scratch
  emptyDir:
    sizeLimit: 64Mi
{{- end }}

{{- define "pipelines.scratchMount" -}}
- name: scratch
  mountPath: /tmp
{{- end }}
