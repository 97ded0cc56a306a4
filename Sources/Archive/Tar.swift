/// Archives in the formats of `Tar`, compressed or not. Import this module for both; programs that are linked without
/// the compression libraries import `Tar` alone.
@_exported import Tar
