# Layers: one static library for each folder of src/. A layer is compiled with the include roots of the layers it
# SEES and of the libraries it USES, and with no others, so an include against the direction does not compile.

function(keyturn_layer layer)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SEES;USES")
    set(target keyturn_${layer})
    set(keyturn_${layer}_SEES ${layer} ${arg_SEES} PARENT_SCOPE)
    set(keyturn_${layer}_USES ${arg_USES} PARENT_SCOPE)

    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/layers/${layer})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${layer} ${PROJECT_BINARY_DIR}/layers/${layer}/${layer} SYMBOLIC)

    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.c)
    list(FILTER sources EXCLUDE REGEX "/app/main\\.c$")
    if(NOT sources)
        add_library(${target} INTERFACE)
        return()
    endif()
    add_library(${target} STATIC ${sources})
    target_compile_options(${target} PRIVATE ${keyturn_strict_flags})
    target_compile_definitions(${target} PRIVATE KEYTURN_VERSION="${PROJECT_VERSION}")
    keyturn_include(${target} ${layer} ${arg_SEES})
    keyturn_use(${target} ${arg_USES})
endfunction()

# The target may write #include "layer/file.h" for these layers.
function(keyturn_include target)
    foreach(layer IN LISTS ARGN)
        target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/layers/${layer})
    endforeach()
endfunction()

# The target sees and links these libraries.
function(keyturn_use target)
    foreach(name IN LISTS ARGN)
        target_link_libraries(${target} PRIVATE keyturn_dep_${name})
    endforeach()
endfunction()

# A program links layers by name, the highest first; layers do not pull each other in, so that a test can put
# fakes in the place of one.
function(keyturn_link target)
    foreach(layer IN LISTS ARGN)
        target_link_libraries(${target} PRIVATE keyturn_${layer})
    endforeach()
endfunction()
