# Sourced by the programs beside it, which set $bin and $program: starts $program.ts with the Node.js that this project pins,
# or with the user's own from 22.18 on.
node=$bin/../node_modules/.bin/node
if [ ! -x "$node" ]; then
  node=node
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)'; then
    echo "$program: Node.js 22.18 or later is needed, found $(node -v 2>/dev/null || echo none); npm ci installs one" >&2
    exit 1
  fi
fi
exec "$node" "$bin/$program.ts" "$@"
