import EngineAPIModel

extension VersionedField {
    /// Every field that some version of the API does not have, or has in another way.
    package static let all = images + containers + creation + networks + system

    private static let images =
        fields(ImageSummary.self, ["VirtualSize"], sent: .before(44))
        + fields(ImageSummary.self, ["Descriptor"], sent: .from(48))
        + fields(ImageSummary.self, ["Manifests"], sent: .from(47))
        + fields(ImageInspection.self, ["VirtualSize"], sent: .before(44))
        + fields(ImageInspection.self, ["Container", "ContainerConfig"], sent: .before(45))
        + fields(ImageInspection.self, ["Descriptor", "Manifests"], sent: .from(48))
        + fields(
            ImageInspection.self, ["Parent", "Comment", "DockerVersion", "Author"], omittedWhenEmpty: .from(52))
        // What a container has and an image has not.
        + fields(
            ImageConfig.self,
            [
                "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin",
                "StdinOnce", "Image",
            ], sent: .before(50))
        + fields(
            ImageConfig.self,
            ["User", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "OnBuild"],
            omittedWhenEmpty: .from(52))

    private static let containers =
        fields(ContainerSummary.self, ["ImageManifestDescriptor"], sent: .from(48))
        + fields(ContainerSummary.self, ["Health"], sent: .from(52))
        + fields(HostConfigSummary.self, ["Annotations"], sent: .from(46))
        + fields(ContainerInspection.self, ["ImageManifestDescriptor"], sent: .from(48))
        + fields(ContainerConfig.self, ["OnBuild"], omittedWhenEmpty: .from(52))
        // The endpoint on the default bridge, beside the list of all endpoints.
        + fields(
            NetworkSettings.self,
            [
                "Bridge", "HairpinMode", "LinkLocalIPv6Address", "LinkLocalIPv6PrefixLen", "SecondaryIPAddresses",
                "SecondaryIPv6Addresses", "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen",
                "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress",
            ], sent: .before(52))

    private static let creation =
        // From 1.52 on it is refused, not ignored: see `readNetworks`.
        fields(ContainerConfig.self, ["MacAddress"], sent: .before(52))
        + fields(HealthConfig.self, ["StartInterval"], accepted: .from(44))
        + fields(HostConfig.self, ["Capabilities"], sent: .none, accepted: .only(40))
        + fields(HostConfig.self, ["PidsLimit"], accepted: .from(40))
        + fields(HostConfig.self, ["KernelMemory"], sent: .before(42), accepted: .before(42))
        + fields(HostConfig.self, ["ConsoleSize"], accepted: .from(42))
        + fields(HostConfig.self, ["Annotations"], accepted: .from(43))
        + fields(HostConfig.self, ["KernelMemoryTCP"], sent: .before(52), accepted: .before(52))
        + fields(BindOptions.self, ["NonRecursive"], accepted: .from(40))
        + fields(BindOptions.self, ["CreateMountpoint"], accepted: .from(42))
        + fields(BindOptions.self, ["ReadOnlyNonRecursive"], accepted: .from(44))
        + fields(TmpfsOptions.self, ["Options"], accepted: .from(46))
        + fields(ExecCreateRequest.self, ["ConsoleSize"], accepted: .from(42))
        + fields(ContainerUpdateRequest.self, ["PidsLimit"], accepted: .from(40))
        + fields(ContainerUpdateRequest.self, ["KernelMemory"], sent: .before(42), accepted: .before(42))
        + fields(
            ContainerUpdateRequest.self,
            [
                "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps",
                "BlkioDeviceWriteIOps",
            ], accepted: .from(55))
        + fields(ExecStartRequest.self, ["ConsoleSize"], accepted: .from(42))

    private static let networks =
        // `EndpointSettings.MacAddress` is read by its own rule: clients before 1.44 say it in another place.
        fields(EndpointSettings.self, ["GwPriority"], accepted: .from(48))
        + fields(NetworkCreateRequest.self, ["EnableIPv4"], accepted: .from(48))
        + fields(NetworkInspection.self, ["Status"], sent: .from(52))

    private static let system =
        fields(EventMessage.self, ["status", "id", "from"], sent: .before(52))
        + fields(SystemInfo.self, ["FirewallBackend"], sent: .from(49))
        + fields(SystemInfo.self, ["DiscoveredDevices"], sent: .from(50))
        + fields(SystemInfo.self, ["BridgeNfIptables", "BridgeNfIp6tables"], sent: .before(50))
        + fields(
            RegistryServiceConfig.self,
            ["AllowNondistributableArtifactsCIDRs", "AllowNondistributableArtifactsHostnames"], sent: .before(47))
        + fields(RuntimeInfo.self, ["status"], sent: .from(44))
        + fields(CommitInfo.self, ["Expected"], sent: .before(49))
        + fields(
            DiskUsage.self, ["ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"], sent: .from(52))
        + fields(DiskUsage.self, ["BuilderSize"], sent: .before(42))
}
