/**
 * What etcd's environment may hold. It takes every ETCD_* variable as a flag, and ends when one names a flag that it was
 * given; it honours proxies for its peers; and it has no business with AWS credentials. So it is given what is named here.
 */
const PASSED_ON = [
  'PATH',
  'HOME',
  'TZ',
  'LANG',
  'TMPDIR',
  'GODEBUG',
  'GOGC',
  'GOMAXPROCS',
  'GOMEMLIMIT',
  'GOTRACEBACK',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
];
/** The environment for an etcd process, from the appliance's own. */
export function etcdEnvironment(own) {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = own[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
