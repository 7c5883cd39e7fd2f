"""
OpenStack Swift, which speaks S3: its four servers in one process on ports that the system chooses, with one copy of
everything in one directory. The port for S3 goes to stdout when it serves. It ends when its stdin does.

    /usr/bin/python3 s3-server.py DIRECTORY
"""

import os
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import hubs, wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402

home = sys.argv[1]

# Access keys are ACCOUNT:USER. A stranger has an access key, but may do nothing.
PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_writer = writing .admin
user_test_stranger = looking
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

STORAGE = """
[pipeline:main]
pipeline = server
[app:server]
use = egg:swift#{kind}
"""


def write(name, text):
    path = os.path.join(home, name)
    with open(path, 'w') as file:
        file.write(text)
    return path


class Cache:
    """What Swift asks of memcached, in the process itself. Its servers last for a test, so nothing expires."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def incr(self, key, delta=1, **_):
        self.values[key] = max(0, self.values.get(key, 0) + delta)
        return self.values[key]

    def decr(self, key, delta=1, **_):
        return self.incr(key, -delta)

    def delete(self, key, **_):
        self.values.pop(key, None)


def cached(app):
    cache = Cache()

    def call(env, start_response):
        env['swift.cache'] = cache
        return app(env, start_response)

    return call


def build_ring(kind, port):
    ring = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    ring.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': port, 'device': 'disk', 'weight': 1})
    ring.rebalance()
    ring.get_ring().save(os.path.join(home, kind + '.ring.gz'))


def serve(kind, text, socket):
    common = '[DEFAULT]\nswift_dir = %s\ndevices = %s/devices\nmount_check = false\nfallocate_reserve = 0\n' % (home, home)
    app = loadapp(write(kind + '.conf', common + text.format(kind=kind)), global_conf={'log_name': kind})
    options = {'protocol': SwiftHttpProtocol, 'capitalize_response_headers': False}
    eventlet.spawn(wsgi.server, socket, cached(app), utils.NullLogger(), **options)


os.makedirs(os.path.join(home, 'devices', 'disk'))
write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = test\n')
utils.set_swift_dir(home)
reload_storage_policies()

for kind in ['account', 'container', 'object']:
    socket = eventlet.listen(('127.0.0.1', 0))
    build_ring(kind, socket.getsockname()[1])
    serve(kind, STORAGE, socket)
front = eventlet.listen(('127.0.0.1', 0))
serve('proxy', PROXY, front)
print(front.getsockname()[1], flush=True)
hubs.trampoline(sys.stdin, read=True)
