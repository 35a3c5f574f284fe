// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The limit of open files, which many sockets meet first.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::ServeError;

/// Descriptors for everything that is not a device's: standard streams, the control
/// socket and a client of it, what threads wait on.
const OTHERS: u64 = 64;

/// How many files this process may have open; `None` is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenFiles(Option<u64>);

impl OpenFiles {
    /// Raises the soft limit to the hard one.
    pub(super) fn raise() -> Result<Self, ServeError> {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum {
            let current = maximum;
            setrlimit(Resource::Nofile, Rlimit { current, maximum })
                .map_err(|errno| ServeError::Limit(errno.into()))?;
        }
        Ok(Self(maximum))
    }

    /// Checks that `devices` sockets can be listened on.
    pub(super) fn check(self, devices: usize) -> Result<(), ServeError> {
        let needed = OTHERS.saturating_add(u64::try_from(devices).unwrap_or(u64::MAX));
        match self.0 {
            Some(limit) if needed > limit => Err(ServeError::OpenFiles {
                devices,
                needed,
                limit,
            }),
            _ => Ok(()),
        }
    }

    /// What is short if clients attach to all of `devices` devices with `vectors`
    /// triggers together: each has a connection, and a file of its memory.
    pub(super) fn shortage(self, devices: usize, vectors: u64) -> Option<String> {
        let limit = self.0?;
        let devices = u64::try_from(devices).unwrap_or(u64::MAX);
        let needed = devices
            .saturating_mul(3)
            .saturating_add(vectors)
            .saturating_add(OTHERS);
        (needed > limit).then(|| {
            format!(
                "clients at all {devices} devices at once would need {needed} open files, and \
                 the hard limit is {limit}: raise it (`ulimit -Hn`, LimitNOFILE=)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_sockets_are_told_with_what_they_need() {
        assert!(OpenFiles(Some(1064)).check(1000).is_ok());
        let error = OpenFiles(Some(1063)).check(1000).unwrap_err().to_string();
        assert!(
            error.starts_with("1000 devices need 1064 open files"),
            "{error}"
        );
        assert!(OpenFiles(None).check(usize::MAX).is_ok());
    }

    #[test]
    fn attached_clients_need_more_than_listening() {
        let limit = OpenFiles(Some(5064));
        assert_eq!(limit.shortage(1000, 2000), None);
        let told = limit.shortage(1000, 2001).unwrap();
        assert!(told.contains("need 5065 open files"), "{told}");
        assert_eq!(OpenFiles(None).shortage(usize::MAX, u64::MAX), None);
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let OpenFiles(limit) = OpenFiles::raise().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, limit);
    }
}
