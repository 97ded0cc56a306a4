/// Archives as they come: the formats of `Tar`, and what they are compressed with. Whoever needs both imports this module; programs
/// that are linked without the compression libraries import `Tar` alone.
@_exported import Tar
