# How everything of ours is compiled and linked.

include(CheckCCompilerFlag)

add_compile_options(-std=c11 -Wall -Wextra -Wshadow -Wformat=2 -Wswitch-enum -Wstrict-prototypes
    -Wmissing-prototypes -fPIE -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
add_compile_options(-fno-plt) # a request calls memcpy and its like five hundred times
add_compile_definitions(_GNU_SOURCE)
add_link_options(-pie -Wl,--gc-sections)
set(keyturn_strict_flags -Wconversion) # for src/ only: test macros are not worth the casts
if(KEYTURN_WERROR)
    add_compile_options(-Werror)
endif()

if(KEYTURN_SANITIZE)
    add_compile_options(-fsanitize=${KEYTURN_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${KEYTURN_SANITIZE})
    add_compile_definitions(KEYTURN_FAULT_POINTS)
    if(KEYTURN_FUZZ)
        add_compile_options(-fsanitize=fuzzer-no-link)
    endif()
else()
    set(fortify 2)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        set(fortify 3)
    endif()
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${fortify} -ffunction-sections -fdata-sections)
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
    set(CMAKE_REQUIRED_FLAGS -Werror)
    foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
            -mbranch-protection=standard -ftrivial-auto-var-init=zero)
        string(MAKE_C_IDENTIFIER "have${flag}" have)
        check_c_compiler_flag(${flag} ${have})
        if(${have})
            add_compile_options(${flag})
        endif()
    endforeach()
endif()
