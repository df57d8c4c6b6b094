#!/bin/sh
# Starts Alertmanager in docker-compose.yaml, with the arguments of this script. With HUBSPOT_SYNC_PAGERDUTY_KEY alerts go to
# PagerDuty, at another address if HUBSPOT_SYNC_PAGERDUTY_URL says so; without the key they are seen in Alertmanager only.
# The key goes into a file in memory that only this user may read, and not into the environment of the program.
set -eu
umask 077

template=$(dirname "$0")/alertmanager.yaml
config=${TMPDIR:-/tmp}/alertmanager.yaml
key_file=${TMPDIR:-/tmp}/pagerduty_key
receiver=nobody
url=${HUBSPOT_SYNC_PAGERDUTY_URL:-https://events.pagerduty.com}

refuse() {
  echo "error: HUBSPOT_SYNC_PAGERDUTY_URL $1: correct it in .env" >&2
  exit 1
}

case $url in
  *[!A-Za-z0-9.:/_-]*) refuse "is no address" ;;
  https://*) ;;
  # the key may go in plain text to this machine, or to a service in the same network of containers
  http://127.0.0.1:*) ;;
  http://*.*) refuse "needs https" ;;
  http://*) ;;
  *) url=https://$url ;;
esac
url=${url%/}
url=${url%/v2/enqueue}

if [ -n "${HUBSPOT_SYNC_PAGERDUTY_KEY:-}" ]; then
  printf '%s' "$HUBSPOT_SYNC_PAGERDUTY_KEY" >"$key_file"
  receiver=pagerduty
fi
unset HUBSPOT_SYNC_PAGERDUTY_KEY

sed -e "s|^  receiver: pagerduty\$|  receiver: $receiver|" \
    -e "s|^\(  pagerduty_url: \).*|\1$url/v2/enqueue|" \
    -e "s|/etc/prometheus/pagerduty_key|$key_file|" \
    "$template" >"$config"
echo "alerts go to: $receiver" >&2
exec alertmanager --config.file="$config" "$@"
