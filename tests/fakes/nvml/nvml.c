/* A stand-in for libnvidia-ml.so.1 whose GPUs are told by the text file named in FAKE_NVML.
 *
 * The file has `key=value` lines and is read at each call, so a test can change it meanwhile:
 *
 *     init=9                       nvmlInit answers this error
 *     count=2                      GPUs
 *     0.uuid=GPU-…  0.name=…       of GPU 0
 *     0.util=50  0.energy=123  0.power=700000
 *     0.memory=used,total          bytes
 *     0.processes=PID:BYTES,PID:?  `?`: the driver does not tell
 *     0.mig=2                      two MIG slices, told as 0.0.uuid=…, 0.1.uuid=…
 *     delay_ms=100                 every call takes so long
 *
 * A value `!N` makes the call answer error N; a key that is missing is not supported (3).
 * Each call appends its name to the file named in FAKE_NVML_CALLS, if any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { GPUS = 4, SLICES = 4 };

struct device { char path[16]; };
static struct device devices[GPUS][SLICES + 1];

static int lookup(const char *key, char *value, size_t size) {
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[1024];
    int status = NOT_SUPPORTED;
    if (!file) return NOT_SUPPORTED;
    while (fgets(line, sizeof line, file)) {
        char *equals = strchr(line, '=');
        if (!equals) continue;
        *equals = 0;
        if (strcmp(line, key)) continue;
        equals[strcspn(equals + 1, "\n") + 1] = 0;
        snprintf(value, size, "%s", equals + 1);
        status = value[0] == '!' ? atoi(value + 1) : OK;
    }
    fclose(file);
    return status;
}

static void called(const char *name) {
    char value[32];
    const char *path = getenv("FAKE_NVML_CALLS");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
    if (lookup("delay_ms", value, sizeof value) == OK) {
        long ms = atol(value);
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
}

static int field(struct device *device, const char *name, char *value, size_t size) {
    char key[64];
    called(name);
    snprintf(key, sizeof key, "%s.%s", device->path, name);
    return lookup(key, value, size);
}

static int number(struct device *device, const char *name, unsigned long long *result) {
    char value[64];
    int status = field(device, name, value, sizeof value);
    if (status == OK) *result = strtoull(value, NULL, 10);
    return status;
}

int nvmlInitWithFlags(unsigned flags) {
    char value[32];
    (void)flags;
    called("init");
    return lookup("init", value, sizeof value) == OK ? atoi(value) : OK;
}

int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int error) {
    (void)error;
    return "an error of the fake";
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    char value[32];
    int status = lookup("count", value, sizeof value);
    *count = status == OK ? (unsigned)atoi(value) : 0;
    return status == NOT_SUPPORTED ? OK : status;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **result) {
    char key[32], value[256];
    int status;
    if (index >= GPUS) return INVALID_ARGUMENT;
    snprintf(key, sizeof key, "%u.handle", index);
    status = lookup(key, value, sizeof value);
    if (status != OK && status != NOT_SUPPORTED) return status;
    *result = &devices[index][0];
    snprintf((*result)->path, sizeof (*result)->path, "%u", index);
    return OK;
}

int nvmlDeviceGetUUID(struct device *device, char *text, unsigned size) {
    return field(device, "uuid", text, size);
}

int nvmlDeviceGetName(struct device *device, char *text, unsigned size) {
    return field(device, "name", text, size);
}

int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long *total_free_used) {
    char value[128];
    int status = field(device, "memory", value, sizeof value);
    unsigned long long used = 0, total = 0;
    if (status != OK) return status;
    sscanf(value, "%llu,%llu", &used, &total);
    total_free_used[0] = total;
    total_free_used[1] = total - used;
    total_free_used[2] = used;
    return OK;
}

int nvmlDeviceGetUtilizationRates(struct device *device, unsigned *gpu_memory) {
    unsigned long long value = 0;
    int status = number(device, "util", &value);
    gpu_memory[0] = (unsigned)value;
    gpu_memory[1] = 0;
    return status;
}

int nvmlDeviceGetTotalEnergyConsumption(struct device *device, unsigned long long *energy) {
    return number(device, "energy", energy);
}

int nvmlDeviceGetPowerUsage(struct device *device, unsigned *power) {
    unsigned long long value = 0;
    int status = number(device, "power", &value);
    *power = (unsigned)value;
    return status;
}

struct process { unsigned pid; unsigned long long memory; unsigned instance, compute; };

static int processes(struct device *device, const char *name, unsigned *count,
                     struct process *result) {
    char value[512], *entry, *rest = value;
    unsigned found = 0;
    int status = field(device, name, value, sizeof value);
    if (status != OK) return status;
    while ((entry = strsep(&rest, ",")) && *entry) {
        char *memory = strchr(entry, ':');
        if (result && found < *count) {
            result[found].pid = (unsigned)atoi(entry);
            result[found].memory =
                memory && memory[1] != '?' ? strtoull(memory + 1, NULL, 10) : ~0ULL;
            result[found].instance = result[found].compute = ~0u;
        }
        found++;
    }
    status = found > *count ? INSUFFICIENT_SIZE : OK;
    *count = found;
    return status;
}

int nvmlDeviceGetComputeRunningProcesses_v3(struct device *device, unsigned *count,
                                            struct process *result) {
    return processes(device, "processes", count, result);
}

int nvmlDeviceGetComputeRunningProcesses_v2(struct device *device, unsigned *count,
                                            struct process *result) {
    return processes(device, "processes_v2", count, result);
}

int nvmlDeviceGetMigMode(struct device *device, unsigned *current, unsigned *pending) {
    unsigned long long value = 0;
    int status = number(device, "mig", &value);
    *current = *pending = value > 0;
    return status;
}

int nvmlDeviceGetMaxMigDeviceCount(struct device *device, unsigned *count) {
    (void)device;
    *count = SLICES;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct device *device, unsigned index,
                                        struct device **result) {
    unsigned long long slices = 0;
    unsigned gpu = (unsigned)atoi(device->path);
    if (number(device, "mig", &slices) != OK || index >= slices) return NOT_FOUND;
    *result = &devices[gpu][index + 1];
    snprintf((*result)->path, sizeof (*result)->path, "%u.%u", gpu, index);
    return OK;
}
