//! The members that a bridge reads inside `params`, and the names by which a scan knows them.

/// A member of a request's or notification's `params`, or of its `params._meta`, that is located while the message is
/// parsed. These are what some revision of MCP asks an intermediary to look at or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Member {
    /// `params._meta`.
    Meta,
    /// `params._meta.progressToken`, by which the sender of a request asks for progress.
    ProgressToken,
    /// `params.progressToken` of `notifications/progress`: the request that progresses.
    ProgressedToken,
    /// `params.requestId` of `notifications/cancelled`.
    RequestId,
    /// `params.name`: a tool or a prompt.
    Name,
    /// `params.uri`: a resource.
    Uri,
    /// `params.level` of `logging/setLevel` and `notifications/message`.
    Level,
    /// `params.task`: 2025-11-25, a call that is to run as a task.
    Task,
    /// `params.taskId` of `tasks/*`.
    TaskId,
    /// `params.protocolVersion` of `initialize`.
    ProtocolVersion,
    /// `params.capabilities` of `initialize`.
    Capabilities,
    /// `params.cursor` of the list methods.
    Cursor,
    /// `params.requestState`: 2026-07-28, what the server wanted to see again.
    RequestState,
    /// `params.inputResponses`: 2026-07-28, the answers to an `input_required` result.
    InputResponses,
    /// `params._meta["io.modelcontextprotocol/protocolVersion"]`: the claim that makes a request modern.
    MetaProtocolVersion,
    /// `params._meta["io.modelcontextprotocol/clientCapabilities"]`.
    MetaClientCapabilities,
    /// `params._meta["io.modelcontextprotocol/clientInfo"]`.
    MetaClientInfo,
    /// `params._meta["io.modelcontextprotocol/logLevel"]`.
    MetaLogLevel,
    /// `params._meta["io.modelcontextprotocol/subscriptionId"]` of notifications on a listen stream.
    MetaSubscriptionId,
}

impl Member {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::MetaSubscriptionId as usize + 1;

    /// Those that stand directly in `params`.
    pub(crate) const OF_PARAMS: &[(&'static str, Self)] = &[
        ("_meta", Self::Meta),
        ("progressToken", Self::ProgressedToken),
        ("requestId", Self::RequestId),
        ("name", Self::Name),
        ("uri", Self::Uri),
        ("level", Self::Level),
        ("task", Self::Task),
        ("taskId", Self::TaskId),
        ("protocolVersion", Self::ProtocolVersion),
        ("capabilities", Self::Capabilities),
        ("cursor", Self::Cursor),
        ("requestState", Self::RequestState),
        ("inputResponses", Self::InputResponses),
    ];

    /// Those that stand in `params._meta`.
    pub(crate) const OF_META: &[(&'static str, Self)] = &[
        ("progressToken", Self::ProgressToken),
        (
            "io.modelcontextprotocol/protocolVersion",
            Self::MetaProtocolVersion,
        ),
        (
            "io.modelcontextprotocol/clientCapabilities",
            Self::MetaClientCapabilities,
        ),
        ("io.modelcontextprotocol/clientInfo", Self::MetaClientInfo),
        ("io.modelcontextprotocol/logLevel", Self::MetaLogLevel),
        (
            "io.modelcontextprotocol/subscriptionId",
            Self::MetaSubscriptionId,
        ),
    ];

    /// The member's name in its object.
    pub fn name(self) -> &'static str {
        let tables = Self::OF_PARAMS.iter().chain(Self::OF_META);
        tables
            .into_iter()
            .find(|(_, member)| *member == self)
            .map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_every_member_once() {
        let mut seen = [0; Member::COUNT];
        for (name, member) in Member::OF_PARAMS.iter().chain(Member::OF_META) {
            seen[*member as usize] += 1;
            assert_eq!(member.name(), *name);
        }
        assert_eq!(seen, [1; Member::COUNT]);
    }
}
